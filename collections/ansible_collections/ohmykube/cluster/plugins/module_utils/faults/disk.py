# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A full disk. A service holds all room that is left in a file without a name: when it ends, however, the room is back.

Room is reserved, not written: the image of a virtual machine does not grow by it. Never on a file system that the
computer shares with others: a system container has its own only where a little memory of its own is mounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import asker, filler
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.plan import PATH, Argv, Plan, Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_SERVICE = "ohmykube-chaos-filler.service"
_FILLING = (
    "systemd-run",
    f"--unit={_SERVICE}",
    "--description=ohmykube chaos: holds all room of a disk",
    "--service-type=notify",
    "--property=TimeoutStartSec=infinity",
    "--collect",
)
_UNDO: tuple[Argv, ...] = (("systemctl", "stop", _SERVICE),)
_RESERVING = ("ext4", "xfs", "btrfs", "f2fs", "tmpfs")  # these reserve without writing
_MOST_MEMORY = 1 << 20  # KiB
_SPARE = 10.0  # seconds beyond its time in which filling must have failed or ended
_TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class _Mount:
    """A line of mountinfo. root: the part of the file system that is seen at `point`."""

    root: str
    point: str
    kind: str
    options: tuple[str, ...]

    @property
    def memory(self) -> bool:
        return self.kind == "tmpfs"

    @property
    def small(self) -> bool:
        """Memory of the machine's own that is no loss when it is full. The kernel tells its size in KiB."""
        sizes = [int(option.strip("size=k")) for option in self.options if option.startswith("size=")]
        return self.memory and self.root == "/" and sizes != [] and sizes[0] <= _MOST_MEMORY


class FullDisk:
    def plan(self, host: Host, options: dict[str, object], seconds: float) -> Plan:
        path = str(options[PATH])
        if not host.path(path).is_dir():
            raise OhmykubeError(
                "fault.path", f"there is no folder {path} on this machine", hint="name one with `--path`"
            )
        mount = _mount_of(host, str(host.path(path).resolve()))
        asker.refuse_asker(host, "disk")
        if not mount.small:
            asker.refuse_container(host, "disk")
        _refuse_kind(mount, path)
        source = Path(filler.__file__).read_text()

        def apply() -> None:
            if not self.found(host, None):
                host.command([*_FILLING, "--", "python3", "-I", "-c", source, path], seconds + _SPARE)

        return Plan("fill-disk", f"no room on {mount.point}", apply, _UNDO)

    def found(self, host: Host, record: Record | None) -> bool:
        said = host.run(["systemctl", "is-active", _SERVICE], _TIMEOUT).stdout.strip()
        return said in ("active", "activating", "deactivating")

    def strays(self, host: Host) -> tuple[Argv, ...]:
        return _UNDO


def _refuse_kind(mount: _Mount, path: str) -> None:
    reason = ""
    if mount.kind not in _RESERVING:
        reason = "which may be another computer's, or has to be written to be full"
    elif mount.memory and not mount.small:
        reason = "which is memory, and more than may be missed"
    if reason:
        raise OhmykubeError(
            "fault.file-system",
            f"{path} is on {mount.kind}, {reason}",
            hint=f"name a folder on one of {', '.join(_RESERVING)}",
        )


def _mount_of(host: Host, path: str) -> _Mount:
    """The one that a path is on: of several at one place, the last lies on top."""
    inside = PurePosixPath("/", *Path(path).relative_to(host.root.resolve()).parts)
    mounts = [_parse(line.split()) for line in (host.read("/proc/self/mountinfo") or "").splitlines()]
    holding = [mount for mount in mounts if inside.is_relative_to(mount.point)]
    deepest = max(len(PurePosixPath(mount.point).parts) for mount in holding)
    return [mount for mount in holding if len(PurePosixPath(mount.point).parts) == deepest][-1]


def _parse(fields: Sequence[str]) -> _Mount:
    kind, _, options = fields[fields.index("-") + 1 :][:3]
    point = fields[4].encode().decode("unicode_escape")  # a space is \040
    return _Mount(fields[3], point, kind, tuple(options.split(",")))
