"""What a record says: a run with its phases, the tasks of nodes and the downloads. Pure.

Times count in seconds from the beginning of the run. A record may be cut anywhere, and what is no event is passed over.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ohmykube.report.downloads import Download, Said

ENDED = {"done": "done", "fail": "failed", "skip": "skipped"}
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Bar:
    """Something with a beginning and an end. node: empty for a phase.

    status: of a phase `done`, `failed` or `skipped`; of a task as in `Event`; `unfinished` where nothing ended it.
    """

    name: str
    phase: str
    start: float
    end: float
    status: str
    node: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Note:
    at: float
    text: str


@dataclass(frozen=True)
class About:
    """The cluster as it was wished."""

    kubernetes: str = ""
    provider: str = ""
    network: str = ""
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """outcome: `ok`, `failed` or `interrupted`; `unfinished` while it goes on, or after it was killed."""

    name: str
    verb: str = ""
    cluster: str = ""
    version: str = ""
    started: float = 0.0  # seconds since 1970
    seconds: float = 0.0
    outcome: str = UNFINISHED
    about: About = About()
    phases: tuple[Bar, ...] = ()
    tasks: tuple[Bar, ...] = ()
    downloads: tuple[Download, ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[Note, ...] = ()
    errors: tuple[Mapping[str, str], ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Those that did something, as the cluster has them; others as they began."""
        worked = dict.fromkeys(task.node for task in self.tasks)
        return tuple(dict.fromkeys([*(node for node in self.about.nodes if node in worked), *worked]))

    @property
    def changed(self) -> int:
        return sum(task.status == "changed" for task in self.tasks)

    def summary(self) -> dict[str, Any]:
        """What `-o json` tells of it."""
        return {
            "run": self.name,
            "verb": self.verb,
            "cluster": self.cluster,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "outcome": self.outcome,
            "phases": [
                {"title": each.name, "seconds": round(each.seconds, 3), "status": each.status} for each in self.phases
            ],
            "tasks": len(self.tasks),
            "changed": self.changed,
            "errors": [dict(error) for error in self.errors],
        }


def read(name: str, lines: Iterable[str]) -> Run:
    """The run that a record tells of. name: of its folder."""
    events = [event for line in lines if (event := _event(line))]
    if not events:
        return Run(name)
    first = events[0]
    began = first["time"]
    reading = _Reading(began)
    for event in events:
        reading.take(event)
    reading.close()
    return Run(
        name=name,
        verb=_word(first, "verb"),
        cluster=_word(first, "cluster"),
        version=_word(first, "version"),
        started=began,
        seconds=reading.now,
        outcome=reading.outcome,
        about=reading.about,
        phases=tuple(sorted(reading.phases, key=lambda bar: (bar.start, bar.end))),
        tasks=tuple(sorted(reading.tasks, key=lambda bar: (bar.start, bar.end))),
        downloads=reading.said.all(reading.now),
        parts=tuple(reading.parts),
        notes=tuple(reading.notes),
        errors=tuple(reading.errors),
    )


class _Reading:
    """Goes through the events in their order; time never goes back."""

    def __init__(self, began: float) -> None:
        self.began, self.now = began, 0.0
        self.outcome = UNFINISHED
        self.about = About()
        self.phases: list[Bar] = []
        self.tasks: list[Bar] = []
        self.parts: list[Mapping[str, Any]] = []
        self.notes: list[Note] = []
        self.errors: list[dict[str, str]] = []
        self.said = Said()
        self.running: dict[str, float] = {}  # phase: since when
        self.begun: dict[tuple[str, str], tuple[str, float]] = {}  # (phase, node): task, since when

    def take(self, event: dict[str, Any]) -> None:
        self.now = max(self.now, event["time"] - self.began)
        kind, phase, text, node = (_word(event, key) for key in ("kind", "phase", "text", "node"))
        if kind == "start":
            self.running[phase] = self.now
        elif kind in ENDED:
            self._end_phase(phase, ENDED[kind])
        elif kind == "step" and node:
            self.begun[phase, node] = text, self.now
        elif kind == "step":
            self.said.take(phase, text, self.now)
        elif kind == "task" and node:
            if (begun := self.begun.get((phase, node))) and begun[0] == text:
                del self.begun[phase, node]
            start = max(0.0, self.now - _number(event, "seconds"))
            self.tasks.append(Bar(text, phase, start, self.now, _word(event, "status") or "ok", node))
        elif kind == "note":
            self.notes.append(Note(self.now, text))
        elif kind == "error":
            self.errors.append(_words(event, "code", "message", "hint"))
        elif kind == "about":
            nodes = event.get("nodes")
            self.about = About(
                **_words(event, "kubernetes", "provider", "network"),
                nodes=tuple(node for node in nodes if isinstance(node, str)) if isinstance(nodes, list) else (),
            )
        elif kind == "part":
            self.parts.append({**_words(event, "name", "version"), "bytes": int(_number(event, "bytes"))})
        elif kind == "end":
            self.outcome = _word(event, "status") or UNFINISHED

    def close(self) -> None:
        """What nothing ended goes on until the record does."""
        for phase in list(self.running):
            self._end_phase(phase, UNFINISHED)

    def _end_phase(self, phase: str, status: str) -> None:
        start = self.running.pop(phase, self.now)
        self.phases.append(Bar(phase, phase, start, self.now, status))
        self.said.end(phase, self.now)
        for key, (text, since) in list(self.begun.items()):
            if key[0] == phase:
                del self.begun[key]
                ended = status if status == "failed" else UNFINISHED
                self.tasks.append(Bar(text, phase, since, self.now, ended, key[1]))


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
        return None
    time = event.get("time")
    usable = isinstance(time, int | float) and not isinstance(time, bool) and 0 <= time < 1e11
    return event if usable else None


def _word(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key, "")
    return value if isinstance(value, str) else ""


def _words(event: Mapping[str, Any], *keys: str) -> dict[str, str]:
    return {key: _word(event, key) for key in keys}


def _number(event: Mapping[str, Any], key: str) -> float:
    value = event.get(key, 0)
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and 0 <= value < 1e15 and math.isfinite(value) else 0.0
