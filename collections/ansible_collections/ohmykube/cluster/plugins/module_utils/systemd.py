# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The only place that calls systemctl and journalctl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_PROPERTIES = (
    "Id,LoadState,UnitFileState,ActiveState,MainPID,NeedDaemonReload,ConditionResult,ConditionTimestampMonotonic"
)
# Unit files without [Install] need no enabling, and cannot be enabled.
_ENABLED = ("enabled", "static", "indirect", "alias", "generated", "linked")
_JOURNAL_LINES = 20


@dataclass(frozen=True)
class UnitState:
    """As `systemctl show` says it. file: UnitFileState. pid: of the main process, 0 without one."""

    name: str
    load: str
    file: str
    active: str
    pid: int
    needs_reload: bool
    condition_failed: bool

    @property
    def enabled(self) -> bool:
        return self.file in _ENABLED


class Systemd:
    """timeout: seconds that one call may take."""

    def __init__(self, host: Host, timeout: float = 60) -> None:
        self._host = host
        self._timeout = timeout

    def show(self, units: Sequence[str]) -> list[UnitState]:
        """In the order asked for; a unit that does not exist has the load state not-found."""
        output = self._host.command(["systemctl", "show", f"--property={_PROPERTIES}", "--", *units], 30)
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in output.strip().split("\n\n")]
        return [_state(unit, block) for unit, block in zip(units, blocks, strict=True)]

    def call(self, verb: str, *arguments: str) -> None:
        self._host.command(["systemctl", verb, *arguments], self._timeout)

    def journal(self, unit: str) -> str:
        """The unit's last lines; empty where there is no journal."""
        argv = ["journalctl", "--no-pager", "--output=cat", f"--lines={_JOURNAL_LINES}", f"--unit={unit}"]
        return self._host.run(argv, 30).stdout.strip()

    def failure(self, unit: str, problem: str) -> OhmykubeError:
        """What went wrong with a unit, with the unit's own last words."""
        return OhmykubeError(
            "service.failed",
            f"{unit} {problem}",
            hint=f"on the node: systemctl status {unit}; journalctl -u {unit}",
            context={"unit": unit, "journal": self.journal(unit)},
        )


def _state(unit: str, block: dict[str, str]) -> UnitState:
    return UnitState(
        name=unit,
        load=block.get("LoadState", ""),
        file=block.get("UnitFileState", ""),
        active=block.get("ActiveState", ""),
        pid=int(block.get("MainPID", "0")),
        needs_reload=block.get("NeedDaemonReload") == "yes",
        # "no" is also what a unit says that was never started.
        condition_failed=block.get("ConditionResult") == "no" and block.get("ConditionTimestampMonotonic", "0") != "0",
    )
