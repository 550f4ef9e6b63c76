# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: a cluster of Ceph with its pools and storage classes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rook_cluster
short_description: Make a cluster of Ceph, its pools and its storage classes
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - A CephCluster, and for volumes, shared file systems and buckets a pool, a file system, an object store and a storage
    class each.
  - With three nodes or more that have disks, three mons and three copies of everything, each on another node. With
    fewer, one mon and one copy.
options:
  _input:
    description: Paths of raw disks, by the name of their node.
    type: dict
    required: true
  image:
    description: Of Ceph.
    type: str
    required: true
  taints:
    description: Keys of taints that nodes with disks may have.
    type: list
    elements: str
    required: true
  default_class:
    description: Whether claims that name no class get a volume of the class V(ceph-block).
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ {'node-1': ['/dev/vdb']} | ohmykube.cluster.rook_cluster(image=image, taints=[], default_class=true) }}"
  vars:
    image: quay.io/ceph/ceph:v20.2.4
"""

RETURN = r"""
_value:
  description: The objects.
  type: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import manifests
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import objects


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"rook_cluster": manifests.without_tags(objects.cluster)}
