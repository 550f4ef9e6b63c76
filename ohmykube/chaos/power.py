"""Machines whose power is cut, and the process that switches each on again when its time has come.

The process has a session of its own, so it outlives the verb that began it and the terminal. It obeys its record: once
that is gone, or names another process, it ends without doing anything. So whoever takes the cluster away, or heals it,
need not find it first.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.store import atomic
from ohmykube.store.home import ClusterFolder

_ARM_TIMEOUT = 20.0  # seconds for a process to start, on a computer that has much to do
_POLL = 0.2  # seconds between looks at the record


@dataclass(frozen=True)
class PowerCut:
    """until: seconds since 1970, by this computer's clock. pid: the process that waits for it."""

    node: str
    until: float
    pid: int

    @property
    def awaited(self) -> bool:
        """Whether the process is there; a restart of this computer ends it."""
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, PermissionError):  # it is gone, or its number is another's by now
            return False
        return True


@dataclass(frozen=True)
class PowerCuts:
    """Those of one cluster."""

    folder: ClusterFolder

    def find(self, node: str) -> PowerCut | None:
        try:
            return PowerCut(**json.loads(self._file(node).read_text()))
        except FileNotFoundError:
            return None

    def forget(self, node: str) -> None:
        """With this, its process ends by itself."""
        self._file(node).unlink(missing_ok=True)

    def arm(self, node: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process `argv`, and return when it waits. Raises OhmykubeError `chaos.timer` where it does not."""
        self._records.mkdir(mode=0o700, exist_ok=True)
        log = self.folder.new_run("chaos-power-on") / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                argv,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )
        deadline = time.monotonic() + _ARM_TIMEOUT
        while (cut := self.find(node)) is None or cut.pid != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                words = log.read_text(errors="replace").strip()
                raise OhmykubeError(
                    "chaos.timer",
                    f"{node} keeps its power: the process that would switch it on again did not start: {words[-500:]}",
                    context={"node": node, "output": words, "log": log},
                )
            time.sleep(_POLL / 4)

    def wait(self, node: str, seconds: float) -> PowerCut:
        """In the process: record that it waits, and return when the time is over or the record is not its own."""
        cut = PowerCut(node, until := round(time.time() + seconds, 3), os.getpid())
        atomic.write(self._file(node), json.dumps(asdict(cut)) + "\n")
        while self.find(node) == cut and time.time() < until:
            time.sleep(min(_POLL, max(0.0, until - time.time())))
        return cut

    @property
    def _records(self) -> Path:
        return self.folder.path / "power"

    def _file(self, node: str) -> Path:
        return self._records / f"{node}.json"
