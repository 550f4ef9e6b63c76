"""Write down what a verb tells, line by line, so that a verb which is killed leaves all it has told."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmykube.errors import OhmykubeError
from ohmykube.logs.redact import text as redacted

if TYPE_CHECKING:
    from ohmykube.phases.base import Event, Events

FILE = "events.jsonl"


def fields_of(event: "Event") -> dict[str, Any]:
    """What an event says, as it is written down and as `--progress json` shows it."""
    return {key: value for key, value in vars(event).items() if value}


@dataclass
class Recorder:
    """Appends to `events.jsonl` in a folder that `new_folder` makes when there is something to write.

    lines: all that was written; a verb may remove its own folder.
    Nothing of it may fail a verb: a full disk costs the record alone. First line: `run`; last one: `end`.
    """

    new_folder: Callable[[], Path]
    first: dict[str, Any]
    folder: Path | None = None
    lines: list[str] = field(default_factory=list)
    _file: int = -1
    _guard: threading.Lock = field(default_factory=threading.Lock)
    # Wall time that goes on evenly, whatever is done to the clock meanwhile.
    _offset: float = field(default_factory=lambda: time.time() - time.monotonic())

    def __call__(self, event: "Event") -> None:
        said = fields_of(event)
        self.write({**said, "text": redacted(event.text)} if event.text else said)

    def write(self, line: dict[str, Any]) -> None:
        now = round(time.monotonic() + self._offset, 3)
        with self._guard, suppress(OSError):
            if self.folder is None:
                self.folder = self.new_folder()
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._file = os.open(self.folder / FILE, flags, 0o600)
                self._append({"time": now, "kind": "run", **self.first})
            self._append({"time": now, **line})

    def error(self, error: OhmykubeError) -> None:
        words = {"message": redacted(error.message), "hint": redacted(error.hint)}
        self.write({"kind": "error", "code": error.code, **words})

    def end(self, status: str) -> None:
        """Nothing comes after it. status: ok, failed or interrupted. Where nothing was told, nothing is left."""
        if self.folder is not None:
            self.write({"kind": "end", "status": status})
            with self._guard, suppress(OSError):
                os.close(self._file)
            self._file = -1

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        self.lines.append(text)
        if self._file >= 0:
            os.write(self._file, text.encode())  # one write, so that lines are whole


@contextmanager
def outcome_of(recorder: Recorder) -> Iterator[None]:
    """Record how the verb inside ends."""
    try:
        yield
    except OhmykubeError as error:
        for each in getattr(error, "errors", [error]):
            recorder.error(each)
        recorder.end("failed")
        raise
    except KeyboardInterrupt:
        recorder.end("interrupted")
        raise
    except BaseException as error:
        recorder.write({"kind": "error", "code": "internal", "message": type(error).__name__})
        recorder.end("failed")
        raise
    else:
        recorder.end("ok")


@dataclass(frozen=True)
class Tee:
    """Events go to a person and are recorded. expected: seconds of phases, told to both when one starts."""

    shown: "Events"
    recorder: "Events"
    expected: Mapping[str, float]

    def __call__(self, event: "Event") -> None:
        if event.kind == "start":
            event = replace(event, expected=round(self.expected.get(event.phase, 0.0), 1))
        self.recorder(event)
        self.shown(event)
