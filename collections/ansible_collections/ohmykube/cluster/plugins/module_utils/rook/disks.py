# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Raw disks of a node. Ceph gets those alone that were empty, and gives back empty those alone that it got.

What was empty is remembered, with what tells the disk from another that has its name after a reboot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import DATA

RECORD = "/var/lib/ohmykube/ceph.json"
SMALLEST = 5 * 2**30  # bytes; Ceph takes no smaller one
_LABEL = b"bluestore block device\n"
_LABELS = tuple(number * 2**30 for number in (0, 1, 10, 100, 1000))  # where Ceph keeps its label, and copies of it
_EDGE = 2**20  # bytes; whatever has a file system, a table of partitions or a volume says so at its beginning or end
_SECTOR = 512
_SEEN = 0.9  # of the memory that a machine was given, its kernel sees so much at least


@dataclass(frozen=True)
class Disk:
    """path: as it was named. size: bytes. identity: its serial number; empty where it has none."""

    path: str
    size: int
    identity: str = ""


def take(host: Host, paths: Sequence[str], *, memory: int) -> list[Change]:
    """What there is to remember of disks that are new to the cluster.

    memory: bytes that the node must have. Raises OhmykubeError `ceph.*` with everything that is in the way.
    """
    known = recorded(host)
    new = [path for path in paths if path not in [disk.path for disk in known]]
    problems = [problem for path in new for problem in _problems(host, path)]
    problems += _memory(host, memory)
    if not known and any(host.path(DATA).glob("*/*")):
        words = f"{DATA} is left of another cluster of Ceph on this machine"
        problems.append(OhmykubeError("ceph.leftovers", words, hint=f"if nothing there is needed: `rm -r {DATA}`"))
    raise_all(problems)
    if not new:
        return []
    after = [*known, *(_disk(host, path) for path in new)]
    lines = "".join(f"{path}\n" for path in new)
    return [Change("raw disks for Ceph", "", lines, partial(_remember, host, after))]


def recorded(host: Host) -> list[Disk]:
    """Those that the cluster got."""
    return [Disk(**item) for item in json.loads(host.read(RECORD) or "[]")]


def given(host: Host) -> list[str]:
    """Of those, the ones that have Ceph's data on them now."""
    return [disk.path for disk in recorded(host) if _same(host, disk) and _is_ceph(host.path(disk.path))]


def empty(host: Host) -> None:
    """Take Ceph's data from them: its labels, and whatever says at the edges what a disk holds."""
    for path in given(host):
        # Where somebody uses it, the kernel refuses this.
        with os.fdopen(os.open(host.path(path), os.O_RDWR | os.O_EXCL), "r+b", buffering=0) as disk:
            for place in _places(disk):
                disk.seek(place)
                disk.write(bytes(_EDGE))
            os.fsync(disk.fileno())


def records(host: Host) -> list[str]:
    return [RECORD] if host.path(RECORD).exists() else []


def forget(host: Host) -> None:
    host.path(RECORD).unlink(missing_ok=True)


def _remember(host: Host, disks: Sequence[Disk]) -> None:
    text = json.dumps([asdict(disk) for disk in disks], indent=2)
    path = host.path(RECORD)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, f"{text}\n".encode(), 0o600)


def _problems(host: Host, path: str) -> Iterator[OhmykubeError]:
    system = _system(host, path)
    if not system.exists():
        hint = "on the machine, `lsblk` lists its disks"
        yield OhmykubeError("ceph.disk.missing", f"there is no disk {path}", hint=hint, context={"path": path})
        return
    size = _size(system)
    if size < SMALLEST:
        words = f"{path} has {size / 2**30:.1f} GiB, and Ceph takes no disk below {SMALLEST // 2**30} GiB"
        yield OhmykubeError("ceph.disk.small", words, hint="20 GiB is a good start", context={"path": path})
    elif use := _use(host, path, system):
        yield OhmykubeError(
            "ceph.disk.used",
            f"{path} {use}, and Ceph gets disks alone that nobody uses",
            hint=f"name another one; or, if nothing on it is needed, empty all of it: `blkdiscard --zeroout {path}`",
            context={"path": path, "use": use},
        )


def _use(host: Host, path: str, system: Path) -> str:
    """What somebody uses a disk for; empty where it is empty."""
    name = system.name
    if (system / "partition").exists():
        return "is a part of a disk"
    if (system / "ro").exists() and (system / "ro").read_text().strip() == "1":
        return "cannot be written to"
    if any((inner / "partition").exists() for inner in system.iterdir()):
        return "has partitions"
    if holders := sorted(inner.name for inner in (system / "holders").glob("*")):
        return f"is used by {', '.join(holders)}"
    if points := _mounted(host, (system / "dev").read_text().strip()):
        return f"is mounted at {', '.join(points)}"
    if any(line.split()[0] == f"/dev/{name}" for line in (host.read("/proc/swaps") or "").splitlines()[1:]):
        return "is swapped to"
    with host.path(path).open("rb", buffering=0) as disk:
        if _labelled(disk):
            return "has data of Ceph on it"
        return "has data on it" if any(_written(disk, place) for place in (0, _end(disk))) else ""


def _memory(host: Host, wanted: int) -> Iterator[OhmykubeError]:
    line = next(line for line in (host.read("/proc/meminfo") or "").splitlines() if line.startswith("MemTotal:"))
    has = int(line.split()[1]) * 1024
    if has < wanted * _SEEN:
        words = f"it has {has / 2**30:.1f} GiB of memory, and with Ceph it needs {wanted / 2**30:g} GiB"
        yield OhmykubeError("ceph.memory", words, hint="give it more, or give its disks to a larger machine")


def _system(host: Host, path: str) -> Path:
    """Where the kernel tells of a disk, which may have been named by a link such as those of /dev/disk/by-id."""
    found = host.path(path)
    name = found.readlink().name if found.is_symlink() else found.name
    return host.path(f"/sys/class/block/{name}")


def _disk(host: Host, path: str) -> Disk:
    system = _system(host, path)
    files = (system / each for each in ("wwid", "device/wwid", "serial", "device/serial"))
    return Disk(path, _size(system), next((file.read_text().strip() for file in files if file.exists()), ""))


def _same(host: Host, disk: Disk) -> bool:
    return _system(host, disk.path).exists() and _disk(host, disk.path) == disk


def _size(system: Path) -> int:
    return int((system / "size").read_text()) * _SECTOR


def _mounted(host: Host, device: str) -> list[str]:
    """device: its numbers, like 8:16."""
    rows = [line.split() for line in (host.read("/proc/self/mountinfo") or "").splitlines()]
    return [row[4] for row in rows if row[2] == device]


def _is_ceph(path: Path) -> bool:
    with path.open("rb", buffering=0) as disk:
        return _labelled(disk)


def _labelled(disk: BinaryIO) -> bool:
    return any(_read(disk, place, len(_LABEL)) == _LABEL for place in _places(disk))


def _written(disk: BinaryIO, place: int) -> bool:
    return any(_read(disk, place, _EDGE))


def _read(disk: BinaryIO, place: int, size: int) -> bytes:
    disk.seek(place)
    return disk.read(size)


def _places(disk: BinaryIO) -> list[int]:
    """Where labels can be, and the end; the kernel refuses to look beyond that."""
    end = _end(disk)
    return [*(place for place in _LABELS if place < end), end]


def _end(disk: BinaryIO) -> int:
    """Where its last part begins."""
    return disk.seek(0, os.SEEK_END) - _EDGE
