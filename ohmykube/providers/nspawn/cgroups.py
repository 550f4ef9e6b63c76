"""A cgroup subtree per machine, in every hierarchy, below the caller's own cgroup.

Two kubelets in one subtree would both own `/kubepods` and kill each other's pods; so each machine has a subtree that a
cgroup namespace then shows it as the root. Limits are set there, outside of the machine's reach.

Tests run on computers with cgroup v1 controllers. For v2, they boot machines in a hierarchy without controllers: the
limits there follow the kernel's documentation and have not been seen to hold yet.
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ohmykube.errors import OhmykubeError

_PERIOD = 100_000  # microseconds; the kernel's own default for CPU quotas
_POLL = 0.05  # seconds
_V2_CONTROLLERS = frozenset({"cpu", "cpuset", "io", "memory", "pids"})
_V2_REQUIRED = frozenset({"cpu", "memory", "pids"})
_V1_CONTROLLERS = frozenset(
    [
        "blkio",
        "cpu",
        "cpuacct",
        "cpuset",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "misc",
        "net_cls",
        "net_prio",
        "perf_event",
        "pids",
        "rdma",
    ]
)


@dataclass(frozen=True)
class Limits:
    """cpu: in cores; memory: in bytes, swap included."""

    cpu: int
    memory: int


@dataclass(frozen=True)
class Hierarchy:
    """A mounted hierarchy. `controllers` is empty for v2 and for v1 without any (`name=systemd`)."""

    version: int
    mount: Path
    controllers: tuple[str, ...]
    options: str  # with which it can be mounted once more
    own: Path  # the folder of the calling process


def hierarchies() -> tuple[Hierarchy, ...]:
    """Those of this process, as mounted now."""
    return parse(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())


def legacy(found: Sequence[Hierarchy]) -> bool:
    """Whether the controllers that Kubernetes needs are those of cgroup v1."""
    return any("memory" in hierarchy.controllers for hierarchy in found)


def parse(mountinfo: str, membership: str) -> tuple[Hierarchy, ...]:
    """From the text of /proc/self/mountinfo and /proc/self/cgroup."""
    paths = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        paths[frozenset(controllers.split(",")) - {""}] = path
    found = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _, options) = left.split(), right.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, mount = fields[3], Path(fields[4])
        names = tuple(
            option for option in options.split(",") if option in _V1_CONTROLLERS or option.startswith("name=")
        )
        members = frozenset(names) if kind == "cgroup" else frozenset()
        if members not in paths:
            continue
        path = paths[members]
        own = mount / os.path.relpath(path, root) if Path(path).is_relative_to(root) else mount
        named = bool(names) and names[0].startswith("name=")
        options = ",".join(("none", *names) if named else names) if kind == "cgroup" else "rw"
        found.append(
            Hierarchy(
                version=1 if kind == "cgroup" else 2,
                mount=mount,
                controllers=() if named else names,
                options=options,
                own=own,
            )
        )
    return tuple(found)


def places(found: Sequence[Hierarchy], name: str) -> list[Path]:
    """Where the machine's subtree goes, one folder a hierarchy; nothing is made but v2 controllers enabled."""
    if legacy(found):
        return [hierarchy.own / name for hierarchy in found]
    return [_delegating(hierarchy) / name for hierarchy in found if hierarchy.version == 2]


def make(folders: Sequence[Path], limits: Limits) -> None:
    """Make the subtree with its limits; one that exists is set anew. Raises OhmykubeError `nspawn.cgroup`."""
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
            _limit(folder, limits)
    except OSError as error:
        raise OhmykubeError(
            "nspawn.cgroup",
            f"the cgroup {error.filename} cannot be set up: {error.strerror}",
            hint="the caller's own cgroup must allow children with limits (in a container: a privileged one)",
            context={"path": error.filename},
        ) from error


def processes(folders: Sequence[Path]) -> set[int]:
    """Every process of the subtrees, as numbered here."""
    return set(members(folders))


def members(folders: Sequence[Path]) -> Iterator[int]:
    """The same, one after another, those nearest to the tops first: of a node with pods, the subtrees are large."""
    level = list(folders)
    while level:
        for group in level:
            with suppress(OSError):  # went away while we looked
                found = set(map(int, (group / "cgroup.procs").read_text().split()))
                yield from found - {0}  # 0: a process that this pid namespace cannot see
        level = [child for group in level for child in _children(group)]


def _children(group: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(group) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def kill(folders: Sequence[Path], *, timeout: float) -> None:
    """End every process at once and wait for it; `nspawn.stuck` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while left := processes(folders):
        _thaw(folders)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise OhmykubeError(
                "nspawn.stuck",
                f"processes {sorted(left)} do not end although killed",
                hint="they wait in the kernel, for a disk or network mount; look at /proc/<process>/stack",
                context={"processes": sorted(left)},
            )
        time.sleep(_POLL)


def remove(folders: Sequence[Path], *, timeout: float) -> None:
    """Remove the subtrees, which hold no process any more; the kernel lets go of the last ones with a delay."""
    deadline = time.monotonic() + timeout
    for folder in folders:
        while folder.exists():
            try:
                for group, _, _ in os.walk(folder, topdown=False):
                    Path(group).rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if time.monotonic() > deadline:
                    raise OhmykubeError(
                        "nspawn.cgroup",
                        f"the cgroup {error.filename} cannot be removed: {error.strerror}",
                        hint="is a shell or a debugger still in it? Its processes are in cgroup.procs",
                        context={"path": error.filename},
                    ) from error
                time.sleep(_POLL)


def _thaw(folders: Sequence[Path]) -> None:
    """What is frozen on v1 does not even die; runc freezes containers for moments, and may be killed in one."""
    for folder in folders:
        for group, _, files in os.walk(folder):  # unlike rglob, it does not mind that groups vanish meanwhile
            if "freezer.state" in files:
                with suppress(OSError):
                    Path(group, "freezer.state").write_text("THAWED")


def _limit(folder: Path, limits: Limits) -> None:
    """Write the limits that this folder's controllers know; the files that exist say which."""
    quota = str(limits.cpu * _PERIOD)
    if (folder / "cpuset.cpus").exists() and not (folder / "cgroup.subtree_control").exists():
        for file in ("cpuset.cpus", "cpuset.mems"):  # v1 starts empty, and an empty one takes no process
            (folder / file).write_text((folder.parent / file).read_text())
    for file, value in (
        ("cpu.cfs_period_us", str(_PERIOD)),
        ("cpu.cfs_quota_us", quota),
        ("cpu.shares", str(1024 * limits.cpu)),
        ("cpu.max", f"{quota} {_PERIOD}"),
        ("memory.limit_in_bytes", str(limits.memory)),
        ("memory.memsw.limit_in_bytes", str(limits.memory)),
        ("memory.max", str(limits.memory)),
        ("memory.swap.max", "0"),
    ):
        if (folder / file).exists():
            (folder / file).write_text(value)


def _delegating(hierarchy: Hierarchy) -> Path:
    """The nearest v2 cgroup, from the caller's own upwards, that can hand controllers to children.

    A cgroup with processes of its own cannot (the kernel's "no internal processes"), so the caller's scope is passed
    over for the slice above it.
    """
    folder = hierarchy.own
    while True:
        available = (folder / "cgroup.controllers").read_text().split()
        missing = _V2_CONTROLLERS - set((folder / "cgroup.subtree_control").read_text().split())
        try:
            for controller in sorted(missing.intersection(available)):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            pass
        else:
            if set(_V2_REQUIRED) <= set((folder / "cgroup.subtree_control").read_text().split()):
                return folder
        if folder == hierarchy.mount:
            raise OhmykubeError(
                "nspawn.cgroup",
                f"no cgroup from {hierarchy.own} upwards can limit CPU and memory of its children",
                hint="run ohmykube in a systemd session, or move your processes out of the container's root cgroup",
                context={"path": hierarchy.own},
            )
        folder = folder.parent
