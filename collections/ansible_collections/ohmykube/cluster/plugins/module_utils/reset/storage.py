# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Mounts, files and folders of a node. Nothing is ever removed through a mount: what lies behind is somebody's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import processes

_UMOUNT_TIMEOUT = 60  # seconds for all of them
_NETNS = "/run/netns/cni-"  # a pod's network namespace, kept alive by a mount


@dataclass(frozen=True)
class Mount:
    """point: where it is. root: what of the file system is there; of a namespace, its name."""

    point: str
    root: str


def mounts(host: Host, folders: Sequence[str], every: bool) -> list[str]:
    """Mount points below the folders, and of pods' network namespaces, the deepest first.

    A folder that is a mount point itself is not among them: a disk of the machine is mounted there. Nor is a namespace
    in which somebody else's processes are.
    """
    inhabited = processes.networks(host, every)
    points = [
        mount.point
        for mount in _mounts(host)
        if _below(mount, folders) or (mount.point.startswith(_NETNS) and mount.root not in inhabited)
    ]
    return sorted(points, reverse=True)


def unmount(host: Host, folders: Sequence[str], every: bool) -> None:
    """Nobody is in them any more, so they go at once; lazily, so that a share whose server is gone does not hang."""
    points = mounts(host, folders, every)
    host.run(["umount", "--lazy", "--", *points], _UMOUNT_TIMEOUT)
    left = mounts(host, folders, every)
    if left:
        raise OhmykubeError(
            "reset.mounts",
            f"cannot unmount {', '.join(left)}",
            hint="unmount it by hand, or reboot the machine, then run this again",
        )


def files(host: Host, paths: Sequence[str]) -> list[str]:
    """Those that are there."""
    return [path for path in paths if host.path(path).exists()]


def remove_files(host: Host, paths: Sequence[str]) -> None:
    for path in paths:
        host.path(path).unlink(missing_ok=True)


def namespaces(host: Host) -> list[str]:
    """Names of network namespaces of pods that are no mount points any more."""
    points = {mount.point for mount in _mounts(host)}
    folder, _, prefix = _NETNS.rpartition("/")
    names = (f"{folder}/{path.name}" for path in sorted(host.path(folder).glob(f"{prefix}*")))
    return [name for name in names if name not in points]


def remove_namespaces(host: Host) -> None:
    remove_files(host, namespaces(host))


def folders(host: Host, paths: Sequence[str]) -> list[str]:
    """Those that are there; of mount points those with something in them."""
    points = {mount.point for mount in _mounts(host)}
    return [path for path in paths if _is_folder(host.path(path)) and (path not in points or _content(host, path))]


def wipe(host: Host, paths: Sequence[str]) -> None:
    """Remove the folders with all they hold; a mount point stays, empty."""
    points = {mount.point for mount in _mounts(host)}
    if behind := [mount.point for mount in _mounts(host) if _below(mount, paths)]:
        raise OhmykubeError("reset.mounts", f"still mounted, so nothing is removed: {', '.join(behind)}")
    for path in folders(host, paths):
        for inner in _content(host, path):
            if _is_folder(inner):
                shutil.rmtree(inner)
            else:
                inner.unlink()
        if path not in points:
            host.path(path).rmdir()


def empty(host: Host, paths: Sequence[str]) -> list[str]:
    """Those that are empty, or hold only others of these. paths: inner ones before outer ones."""
    found: list[str] = []
    for path in paths:
        inner = {host.path(known) for known in found}
        if _is_folder(host.path(path)) and not [entry for entry in _content(host, path) if entry not in inner]:
            found.append(path)
    return found


def rmdir(host: Host, paths: Sequence[str]) -> None:
    for path in empty(host, paths):
        host.path(path).rmdir()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _content(host: Host, path: str) -> list[Path]:
    return list(host.path(path).iterdir())


def _mounts(host: Host) -> list[Mount]:
    fields = [line.split() for line in (host.read("/proc/self/mountinfo") or "").splitlines()]
    return [Mount(_unescaped(field[4]), field[3]) for field in fields]


def _below(mount: Mount, folders: Sequence[str]) -> bool:
    return mount.point.startswith(tuple(f"{folder}/" for folder in folders))


def _unescaped(text: str) -> str:
    """The kernel writes blanks, tabs, line ends and backslashes as three octal digits."""
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escaped, character)
    return text
