#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_nodes
short_description: Give nodes their labels, annotations and taints, from a control plane
description:
  - Compares with what the API server says, and patches only nodes that differ.
  - What an earlier run set and is no longer wanted is removed; what others set stays.
  - Deletes the bootstrap tokens of nodes that have joined.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  nodes:
    description: The nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      labels:
        description: Labels by name.
        type: dict
        default: {}
      annotations:
        description: Annotations by name.
        type: dict
        default: {}
      taints:
        description: Taints, as C(key=value:Effect).
        type: list
        elements: str
        default: []
  revoke_tokens:
    description: Whether bootstrap tokens are deleted.
    type: bool
    default: false
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Each node's labels, annotations and taints.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Label a node
  ohmykube.cluster.kube_nodes:
    nodes:
      - name: dev-big-1
        labels: {size: big}
        taints: ["dedicated=db:NoSchedule"]
"""

RETURN = r"""
changes:
  description: The nodes that changed.
  returned: always
  type: list
  elements: str
  sample: [dev-big-1]
"""

from collections.abc import Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.control_planes import withdraw_certificates
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, until
from ansible_collections.ohmykube.cluster.plugins.module_utils.node_marks import Marks, plan
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module

ARGUMENTS = {
    "nodes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "labels": {"type": "dict", "default": {}},
            "annotations": {"type": "dict", "default": {}},
            "taints": {"type": "list", "elements": "str", "default": []},
        },
    },
    "revoke_tokens": {"type": "bool", "default": False},
}
PLANE = "node-role.kubernetes.io/control-plane"
WAIT = 60  # seconds for the API server, and for nodes that have just joined


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubectl = Kubectl(host)
    if check_mode and not kubectl.configured():
        return changed([])
    wanted = [Marks(**entry) for entry in options["nodes"]]
    seen = _nodes(kubectl, [] if check_mode else [marks.name for marks in wanted])
    changes = [change for marks in wanted if marks.name in seen for change in plan(kubectl, marks, seen[marks.name])]
    if not check_mode:
        apply_all(changes)
        if options["revoke_tokens"]:
            tokens.revoke_all(kubectl)
            if len([node for node in seen.values() if PLANE in node["metadata"].get("labels", {})]) > 1:
                withdraw_certificates(kubectl)  # at once: without its token, it goes by itself
    return changed(changes)


def _nodes(kubectl: Kubectl, names: Sequence[str]) -> dict[str, Any]:
    """All nodes by name, when these are among them: a kubelet registers its node a moment after kubeadm has ended."""
    seen: dict[str, Any] = {}

    def missing() -> list[str]:
        seen.update(
            {item["metadata"]["name"]: item for item in patiently(lambda: kubectl.items("nodes"), timeout=WAIT)}
        )
        return [name for name in names if name not in seen]

    until(missing, timeout=WAIT, what="the API server knows no node of this name", explain=lambda: "")
    return seen


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
