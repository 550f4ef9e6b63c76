#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_mend
short_description: Carry out remedies on a node
description:
  - Does what is asked for, as far as it is needed. What needs mending is told by M(ohmykube.cluster.node_health).
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  services:
    description: Names of services to restart where they are not active, in this order.
    type: list
    elements: str
    default: []
  clock_ahead:
    description: Seconds by which the node's clock is ahead of the right time, to be set back; negative if it is behind.
    type: float
    default: 0
  renew_days:
    description:
      - If one of kubeadm's certificates ends within so many days, renew all of them and restart the control plane on
        this node; 0 leaves them alone.
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
    support: partial
    details: But for O(clock_ahead), which is relative.
"""

EXAMPLES = r"""
- name: Let the node work again
  ohmykube.cluster.node_mend:
    services: [containerd, kubelet]

- name: Renew what ends within a month
  ohmykube.cluster.node_mend:
    renew_days: 30
"""

RETURN = r"""
changes:
  description: What was done, a line each.
  returned: success
  type: list
  elements: str
  sample: [kubelet.service restarted]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import mend
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module

ARGUMENTS = {
    "services": {"type": "list", "elements": "str", "default": []},
    "clock_ahead": {"type": "float", "default": 0},
    "renew_days": {"type": "int", "default": 0},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    changes = [
        *mend.clock(host, options["clock_ahead"]),
        *mend.services(host, options["services"]),
        *mend.renewal(host, options["renew_days"]),
    ]
    if not check_mode:
        apply_all(changes)
    return changed(changes)


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
