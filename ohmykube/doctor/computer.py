"""This computer: room for machines, a provider that works, and what clusters left that are no more."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ohmykube.doctor.base import COMPUTER, Check, Finding, Severity, ok
from ohmykube.model.quantity import human_bytes

_DISK_LOW, _DISK_GONE = 5 * 2**30, 2**30  # bytes: less than a machine takes; writes begin to fail
_MEMORY_LOW, _MEMORY_GONE = 2**30, 2**28  # bytes
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Leftover:
    """Of a cluster that is no more. machines: their names; else it is a folder. remove: takes all of it away."""

    cluster: str
    machines: tuple[str, ...]
    remove: Callable[[], object]


@dataclass(frozen=True)
class Computer:
    """home: `$OHMYKUBE_HOME`. choose: the provider that would be taken here; raises where there is none."""

    home: Path
    choose: Callable[[], tuple[str, str]]
    leftovers: Callable[[], Sequence[Leftover]]

    def checks(self) -> list[Check]:
        return [
            Check("computer.disk", COMPUTER, lambda: disk(self.home)),
            Check("computer.memory", COMPUTER, memory),
            Check("provider", COMPUTER, lambda: provider(self.choose)),
            Check("leftover", COMPUTER, lambda: left(self.leftovers())),
        ]


def disk(home: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(home).free
    what = f"{human_bytes(free)} are free for {home}"
    if free >= _DISK_LOW:
        yield ok("computer.disk", COMPUTER, what)
        return
    remedy = "make room, `ohmykube cache prune --unused` for instance, or set OHMYKUBE_HOME to a folder on another disk"
    yield Finding("computer.disk", COMPUTER, "problem" if free < _DISK_GONE else "warning", f"only {what}", remedy)


def memory(meminfo: Path = _MEMINFO) -> Iterator[Finding]:
    """What is free is known on Linux alone; a Mac gives its programs' memory away when it must."""
    if not meminfo.exists():
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        yield ok("computer.memory", COMPUTER, f"{human_bytes(total)} of memory")
        return
    values = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    free = int(values["MemAvailable"].split()[0]) * 1024
    what = f"{human_bytes(free)} of memory are free"
    if free >= _MEMORY_LOW:
        yield ok("computer.memory", COMPUTER, what)
        return
    severity: Severity = "problem" if free < _MEMORY_GONE else "warning"
    yield Finding("computer.memory", COMPUTER, severity, f"only {what}", "end programs, or `ohmykube stop` a cluster")


def provider(choose: Callable[[], tuple[str, str]]) -> Iterator[Finding]:
    name, why = choose()
    yield ok("provider", COMPUTER, why or f"{name} works here")


def left(leftovers: Sequence[Leftover]) -> Iterator[Finding]:
    for each in leftovers:
        machines = f"its machines {', '.join(each.machines)}" if each.machines else "its folder"
        what = f"the cluster {each.cluster} is no more, but for {machines}"
        yield Finding("leftover", each.cluster, "warning", what, "`ohmykube doctor --fix` removes it", fix=each.remove)
    if not leftovers:
        yield ok("leftover", COMPUTER, "nothing is left of clusters that are no more")
