#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: raw_disks
short_description: See that raw disks of a node are free for Ceph
description:
  - Looks whether disks are there, large enough and empty, and remembers those that are. One that somebody uses, or that
    has anything written at its beginning or its end, is an error. Nothing is written to any disk.
  - What is remembered is not looked at again. M(ohmykube.cluster.kubeadm_reset) takes Ceph's data from these disks, and
    from no others.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  disks:
    description: Paths of whole disks, like V(/dev/sdb), or better one of C(/dev/disk/by-id), which a reboot keeps.
    type: list
    elements: path
    required: true
  memory:
    description: Bytes of memory that the node must have; a tenth may be missing, which firmware and kernel keep.
    type: int
    default: 0
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Look at the disk
  ohmykube.cluster.raw_disks:
    disks: [/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_data]
    memory: 4294967296
"""

RETURN = r"""
changes:
  description: What is remembered now, a line each.
  returned: success
  type: list
  elements: str
  sample: [raw disks for Ceph]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import disks

ARGUMENTS = {
    "disks": {"type": "list", "elements": "path", "required": True},
    "memory": {"type": "int", "default": 0},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    changes = disks.take(host, options["disks"], memory=options["memory"])
    if not check_mode:
        apply_all(changes)
    return changed(changes)


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
