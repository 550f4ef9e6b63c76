# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Ceph by Rook: its manifests (upstream), our objects (objects), the disks of a node (disks), its health (health).

Ceph keeps three copies on three nodes where there are three with disks, and one copy where there are fewer.
"""

from __future__ import annotations

NAMESPACE = "rook-ceph"
DATA = "/var/lib/rook"  # of mons and OSDs, on their nodes
# Storage classes, and names of what they stand on.
BLOCK, FILES, BUCKETS = "ceph-block", "ceph-filesystem", "ceph-bucket"
BUCKET_DRIVER = f"{NAMESPACE}.ceph.rook.io/bucket"
COPIES = 3  # on as many nodes, and as many mons

_GIB = 2**30
_SUPPORTED = ((1, 31), (1, 36))  # minor versions of Kubernetes, the first and the last


def supports(version: str) -> bool:
    """Whether Rook is made for a version of Kubernetes, like v1.36.4."""
    first, last = _SUPPORTED
    return first <= tuple(int(part) for part in version[1:].split(".")[:2]) <= last


def supported() -> str:
    """For people."""
    return " to ".join(f"v{major}.{minor}" for major, minor in _SUPPORTED)


def memory(nodes: int, disks: int, *, control_plane: bool) -> int:
    """Bytes that one of so many nodes with disks needs, with so many of its own, by what Ceph's daemons are held to.

    Where everything has but one copy, one node may run all of Ceph.
    """
    everything = 4 * _GIB if copies(nodes) > 1 else 6 * _GIB
    return everything + (disks - 1) * 3 * _GIB // 2 + (2 * _GIB if control_plane else 0)


def copies(nodes: int) -> int:
    """Of all data, and mons, with so many nodes that have disks."""
    return COPIES if nodes >= COPIES else 1
