#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
short_description: Join a node to a cluster with kubeadm
description:
  - Asks whether the cluster knows this node by its kubelet's identity; only where it does not, C(kubeadm join) runs.
    What another cluster or an interrupted run left is wiped first.
  - A cluster that cannot be reached says nothing, so the node is left alone then.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  config:
    description: The documents for C(kubeadm join), as YAML. They hold the token and are removed after joining.
    type: str
    required: true
  node:
    description: Name of this node.
    type: str
    required: true
  address:
    description: This node's address. Where it is not the one that the node was made with, the kubelet is told.
    type: str
    default: ""
  patches:
    description:
      - Patches of what kubeadm makes, by the name of the file, C(target[suffix][+strategic|merge|json].yaml). They lie
        in C(/etc/kubernetes/patches), which the documents must name as C(patches.directory).
    type: dict
    default: {}
  ignore_preflight:
    description: Preflight checks whose errors are ignored.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that C(kubeadm join) may take.
    type: int
    default: 180
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing anything.
    support: full
  diff_mode:
    description: Returns what changed.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Join
  ohmykube.cluster.kubeadm_join:
    config: "{{ lookup('ansible.builtin.file', 'join.yaml') }}"
    node: "{{ inventory_hostname }}"
"""

RETURN = r""" # """

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import moving
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import KUBELET, Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "config": {"type": "str", "required": True, "no_log": True},
    "node": {"type": "str", "required": True},
    "address": {"type": "str", "default": ""},
    "patches": {"type": "dict", "default": {}},
    "ignore_preflight": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 180},
}
REACH_TIMEOUT = 30  # seconds that the API server may take to say whether it knows the node


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubeadm = Kubeadm(host, options["ignore_preflight"])
    old = moving.old_address(host, options["address"])
    if old and not check_mode:
        moving.move_worker(host, old, options["address"])
    needed = kubeadm.needs_join(options["node"], timeout=REACH_TIMEOUT)
    if needed and not check_mode:
        kubeadm.join(options["config"], options["patches"], timeout=options["timeout"])
    if old and not check_mode:
        moving.settle(host, Kubectl(host, KUBELET), options["node"], options["address"])
    return {"changed": bool(old) or needed}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
