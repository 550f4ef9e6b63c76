#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
short_description: Make the first control plane of a cluster with kubeadm
description:
  - Asks whether the control plane is there and answers; only where there is none, C(kubeadm init) runs. What a run left
    that was interrupted is wiped first. A control plane that was finished before is never wiped.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  config:
    description: The documents for C(kubeadm init), as YAML. They lie on the node for root alone.
    type: str
    required: true
  address:
    description:
      - This node's address. Where it is not the one that the node was made with, its certificates, manifests and
        kubeconfigs are put right.
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
  nodes:
    description: All nodes that the cluster shall have, each with its address, or an empty text for any.
    type: dict
    default: {}
  unjoined:
    description:
      - Those of O(nodes) whose machines have no identity (M(ohmykube.cluster.kubeadm_info)). The API server calls a
        node Ready for most of a minute after its machine was made anew.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that C(kubeadm init), or the API server of a finished control plane, may take.
    type: int
    default: 300
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
- name: Make the cluster
  ohmykube.cluster.kubeadm_init:
    config: "{{ lookup('ansible.builtin.file', 'kubeadm.yaml') }}"
    nodes:
      dev-control-plane-1: 10.0.0.2
      dev-worker-1: 10.0.0.3
"""

RETURN = r"""
missing:
  description: Those of O(nodes) that the API server does not call Ready at their address, and O(unjoined).
  returned: always
  type: list
  elements: str
  sample: [dev-worker-1]
"""

import platform
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import moving, tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "config": {"type": "str", "required": True, "no_log": True},
    "address": {"type": "str", "default": ""},
    "patches": {"type": "dict", "default": {}},
    "ignore_preflight": {"type": "list", "elements": "str", "default": []},
    "nodes": {"type": "dict", "default": {}},
    "unjoined": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 300},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubeadm = Kubeadm(host, options["ignore_preflight"])
    old = moving.old_address(host, options["address"]) if kubeadm.initialised() else ""
    if check_mode:
        return {"changed": bool(old) or kubeadm.needs_init(timeout=options["timeout"]), "missing": []}
    if old:
        moving.move_control_plane(host, kubeadm, options["config"], old, options["address"])
    needed = kubeadm.needs_init(timeout=options["timeout"])
    if needed:
        kubeadm.init(options["config"], options["patches"], timeout=options["timeout"])
    if old:
        moving.tell_cluster(kubeadm, Etcd(), old, options["address"])
        named = (name for name, address in options["nodes"].items() if address == options["address"])
        node = next(named, platform.node())
        moving.settle(host, Kubectl(host), node, options["address"])
    missing = tokens.missing_nodes(Kubectl(host), options["nodes"], options["unjoined"])
    return {"changed": bool(old) or needed, "missing": missing}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
