#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: ceph_ready
short_description: Wait until Ceph is well and makes volumes
description:
  - Waits, on a control plane, until Rook calls Ceph's cluster, pools, file systems and object stores ready, Ceph says
    C(HEALTH_OK) and uses all disks. Then it has a claim of each class bound, and takes them away again.
  - Where that does not come about in time, the error names what is missing and why.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  disks:
    description: How many disks Ceph shall use.
    type: int
    required: true
  classes:
    description: Storage classes of which a volume or bucket must be made.
    type: list
    elements: str
    default: [ceph-block, ceph-filesystem, ceph-bucket]
  timeout:
    description: Seconds, for Ceph and then for the volumes.
    type: int
    default: 900
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
    details: It does not ask then, for what it would ask about may be yet to be made.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Wait for Ceph
  ohmykube.cluster.ceph_ready:
    disks: 3
"""

RETURN = r""" # """

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import health

ARGUMENTS = {
    "disks": {"type": "int", "required": True},
    "classes": {
        "type": "list",
        "elements": "str",
        "default": ["ceph-block", "ceph-filesystem", "ceph-bucket"],
    },
    "timeout": {"type": "int", "default": 900},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if not check_mode:
        kubectl = Kubectl(host)
        health.wait(kubectl, disks=options["disks"], timeout=options["timeout"])
        health.try_out(kubectl, options["classes"], timeout=options["timeout"])
    return {"changed": False}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
