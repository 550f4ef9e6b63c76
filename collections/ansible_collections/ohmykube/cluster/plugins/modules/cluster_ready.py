#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_ready
short_description: Wait until the API server calls the whole cluster ready
description:
  - Waits, on a control plane, until every node is Ready at its address and every workload of the given namespaces is
    available. Changes nothing.
  - Where that does not come about in time, the error names what is missing and why.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  nodes:
    description: Nodes that there must be.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      address:
        description: Its InternalIP; empty for any.
        type: str
        default: ""
      booted:
        description:
          - When the machine was switched on, in seconds since 1970, as M(ohmykube.cluster.node) returns it. What the
            API server heard of the node before does not count.
        type: int
        default: 0
  nodes_ready:
    description: Whether nodes must be Ready. Without a pod network they never are, and nor are the workloads.
    type: bool
    default: true
  whole:
    description:
      - Whether O(nodes) are all there are, so that every workload of O(namespaces) must be available. Otherwise the
        pods that come with every node must be ready on these, whatever has become of others.
    type: bool
    default: true
  namespaces:
    description: Those whose workloads belong to the cluster itself. What runs in others may be broken.
    type: list
    elements: str
    default: [kube-system, kube-flannel, local-path-storage, metallb-system]
  timeout:
    description: Seconds.
    type: int
    default: 300
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
- name: Wait for the cluster
  ohmykube.cluster.cluster_ready:
    nodes:
      - {name: dev-control-plane-1, address: 10.0.0.2}
"""

RETURN = r""" # """

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import readiness
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "nodes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "default": ""},
            "booted": {"type": "int", "default": 0},
        },
    },
    "nodes_ready": {"type": "bool", "default": True},
    "whole": {"type": "bool", "default": True},
    "namespaces": {
        "type": "list",
        "elements": "str",
        "default": ["kube-system", "kube-flannel", "local-path-storage", "metallb-system"],
    },
    "timeout": {"type": "int", "default": 300},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if not check_mode:
        nodes = {node["name"]: readiness.Member(node["address"], node["booted"]) for node in options["nodes"]}
        asked = readiness.Asked(nodes, options["namespaces"], options["nodes_ready"], options["whole"])
        readiness.wait(Kubectl(host), asked, timeout=options["timeout"])
    return {"changed": False}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
