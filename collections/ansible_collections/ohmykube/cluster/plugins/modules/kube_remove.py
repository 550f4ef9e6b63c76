#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_remove
short_description: Empty nodes and take them out of the cluster
description:
  - Drains the nodes, on a control plane as its administrator, and deletes their objects. Pods move to other nodes as
    far as their disruption budgets allow.
  - Where that is not done in time, or volumes would be lost, the nodes take pods again as before, and the error names
    the pods or claims.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  nodes:
    description: Names of the nodes. One that the API server does not know is gone already.
    type: list
    elements: str
    required: true
  dead:
    description: Those of O(nodes) whose machines do not run. Nobody there could say that a pod has ended.
    type: list
    elements: str
    default: []
  addresses:
    description: Addresses of O(nodes). etcd knows a control plane that never came up by nothing else.
    type: list
    elements: str
    default: []
  force:
    description: Whether to lose what holds a node back, volumes on its disk, pods that nothing makes anew.
    type: bool
    default: false
  timeout:
    description: Seconds for the drain.
    type: int
    default: 120
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Take a node out
  ohmykube.cluster.kube_remove:
    nodes: [dev-worker-2]
"""

RETURN = r"""
removed:
  description: The nodes that were there, as objects or as members of etcd.
  returned: success
  type: list
  elements: str
  sample: [dev-worker-2]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.draining import Removal, remove
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd, gateway, runs_here
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "nodes": {"type": "list", "elements": "str", "required": True},
    "dead": {"type": "list", "elements": "str", "default": []},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 120},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    etcd = Etcd(gateway(host)) if runs_here(host) else None
    removed = remove(Kubectl(host), Removal(**options), etcd, dry_run=check_mode)
    return {"changed": bool(removed), "removed": removed}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
