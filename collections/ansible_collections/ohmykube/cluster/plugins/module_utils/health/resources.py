# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""How much room is left on a node: bytes and inodes of its disks, and memory."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

# Where a node writes; several of them may be one file system.
FOLDERS = ("/", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd")


def disks(host: Host) -> list[dict[str, Any]]:
    """Each file system once, by the first folder that is on it. size, free: bytes; free is what services may take."""
    found: dict[int, dict[str, Any]] = {}
    for folder in FOLDERS:
        path = host.path(folder)
        if not path.is_dir():
            continue
        seen = os.statvfs(path)
        told = {
            "path": folder,
            "size": seen.f_blocks * seen.f_frsize,
            "free": seen.f_bavail * seen.f_frsize,
            "inodes": seen.f_files,
            "inodes_free": seen.f_favail,
        }
        found.setdefault(path.stat().st_dev, told)
    return list(found.values())


def memory(host: Host) -> dict[str, int]:
    """size, free: bytes; free is what can be had without swapping. Zeros where the kernel does not tell."""
    values = dict(line.split(":", 1) for line in (host.read("/proc/meminfo") or "").splitlines() if ":" in line)
    return {
        told: int(values.get(name, "0 kB").split()[0]) * 1024
        for told, name in (("size", "MemTotal"), ("free", "MemAvailable"))
    }
