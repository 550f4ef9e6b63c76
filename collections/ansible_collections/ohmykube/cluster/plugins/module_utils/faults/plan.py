# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a fault is, before it happens: how it is made, how it is undone, and what is remembered of it meanwhile."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

Argv = tuple[str, ...]

KIND, SECONDS, PEERS, DELAY, LOSS, PATH, SKEW = "fault", "seconds", "peers", "delay", "loss", "path", "skew"


@dataclass(frozen=True)
class Plan:
    """detail: what it does, for people. apply: makes it so, and is harmless where it is so already.

    undo: commands that make it good again, in any state, also when repeated; one that fails does not stop the next.
    mark: what `found` needs to tell whether the fault is there.
    """

    kind: str
    detail: str
    apply: Callable[[], None]
    undo: tuple[Argv, ...]
    mark: str = ""


@dataclass(frozen=True)
class Record:
    """A fault that was begun. until: when it ends, in seconds of the machine's uptime: clocks may be wrong here."""

    kind: str
    until: float
    detail: str
    undo: tuple[Argv, ...]
    mark: str = ""

    def text(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, text: str) -> Record:
        data = json.loads(text)
        return cls(**{**data, "undo": tuple(tuple(argv) for argv in data["undo"])})


class Fault(Protocol):
    """One kind of fault."""

    def plan(self, host: Host, options: dict[str, object], seconds: float) -> Plan:
        """What would be done; changes nothing. Raises OhmykubeError `fault.*` where this machine cannot have it."""
        ...

    def found(self, host: Host, record: Record | None) -> bool:
        """Whether the machine has this fault now, asked of the machine itself."""
        ...

    def strays(self, host: Host) -> tuple[Argv, ...]:
        """What ends one that is there without a record."""
        ...


def uptime(host: Host) -> float:
    """Seconds since the kernel's start; no clock that is set wrong has a say in it."""
    return float((host.read("/proc/uptime") or "0").split()[0])


def script(commands: Sequence[Argv]) -> str:
    """One line of shell that runs them all."""
    return "; ".join(shlex.join(argv) for argv in commands)
