# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Volumes of Ceph that the node still has: once their server is gone, whoever touches them waits for ever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import BLOCK

_DEVICES = "/sys/bus/rbd/devices"
_REMOVE = ("/sys/bus/rbd/remove_single_major", "/sys/bus/rbd/remove")  # the first where the kernel has it
_TIMEOUT = 60  # seconds


def volumes(host: Host, folders: Sequence[str]) -> list[str]:
    """Block devices of our pool, and shares that are mounted below the folders."""
    return [*(f"rbd{device.name}" for device in _devices(host)), *_shares(host, folders)]


def let_go(host: Host, folders: Sequence[str]) -> None:
    """By force: what was to be written fails now, and what is unmounted later does not wait for anybody."""
    for device in _devices(host):
        remove = next((path for path in map(host.path, _REMOVE) if path.exists()), host.path(_REMOVE[-1]))
        remove.write_text(f"{device.name} force")
    if shares := _shares(host, folders):
        host.run(["umount", "--force", "--lazy", "--", *shares], _TIMEOUT)


def _devices(host: Host) -> list[Path]:
    return [path for path in sorted(host.path(_DEVICES).glob("*")) if (path / "pool").read_text().strip() == BLOCK]


def _shares(host: Host, folders: Sequence[str]) -> list[str]:
    """The deepest first."""
    lines = (host.read("/proc/self/mountinfo") or "").splitlines()
    parts = [(line.split()[4], line.partition(" - ")[2].split()[0]) for line in lines]
    below = tuple(f"{folder}/" for folder in folders)
    return sorted((point for point, kind in parts if kind == "ceph" and point.startswith(below)), reverse=True)
