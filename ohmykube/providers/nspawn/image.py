"""Prepared machines: what one has on its disk, without who it is, for others to begin with."""

import shutil
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.nspawn.commands import run

_COPY_TIMEOUT = 300  # seconds; links take a fraction of one
_CONTAINERD = "volumes/containerd"  # of the volumes, the only one that a machine has before it belongs to a cluster
# Below /; what is removed here shows the base's own again.
_IDENTITY = (
    "etc/machine-id",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
    "etc/ssh/ssh_host_*",
    "root",
    "run",
    "tmp",
    "var/log",
    "var/tmp",
    "var/lib/systemd",
)


def capture(machine: Path, target: Path) -> None:
    """Turn a stopped machine into an image. machine: its folder, which is of no use afterwards."""
    shutil.move(machine / "upper", target / "upper")
    shutil.move(machine / _CONTAINERD, target / "containerd")
    (target / "base").symlink_to((machine / "base").readlink())
    for pattern in _IDENTITY:
        for found in (target / "upper").glob(pattern):
            shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()


def fits(image: Path, base: Path) -> bool:
    """Whether it was made on the same base: it has only what differs from that."""
    return (image / "base").readlink() == base


def clone(image: Path, machine: Path) -> None:
    """Give a new machine the image's content. machine: its folder, with empty volumes.

    The system is shared and read-only. Of containerd's files the large ones, contents and unpacked layers, are never
    written again, so links serve; its databases are the machine's own.
    """
    (machine / "image").symlink_to(image / "upper")
    containerd = machine / _CONTAINERD
    try:
        run(["cp", "--archive", "--link", f"{image}/containerd/.", str(containerd)], timeout=_COPY_TIMEOUT)
    except OhmykubeError:  # another file system
        run(["cp", "--archive", "--reflink=auto", f"{image}/containerd/.", str(containerd)], timeout=_COPY_TIMEOUT)
    for database in containerd.glob("io.containerd.*/*.db"):
        own = database.with_suffix(".own")
        shutil.copy2(database, own)
        own.replace(database)
