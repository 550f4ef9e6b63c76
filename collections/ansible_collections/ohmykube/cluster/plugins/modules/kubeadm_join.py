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
  control_plane:
    description: Whether it joins as a control plane.
    type: bool
    default: false
  unjoined:
    description:
      - Whether it is known already that it must join (M(ohmykube.cluster.kubeadm_info)). What its own API server says
        counts for nothing then, for its member of etcd is taken out (M(ohmykube.cluster.kubeadm_token)).
    type: bool
    default: false
  init_config:
    description:
      - The documents for C(kubeadm init) on this node, to put a control plane right that has got another address.
    type: str
    default: ""
  others:
    description: Addresses of the other control planes, to whose etcd it is told where this one is now.
    type: list
    elements: str
    default: []
  shared_address:
    description: An address that the control planes share, which one that joins must not hold.
    type: str
    default: ""
  timeout:
    description: Seconds that C(kubeadm join) may take.
    type: int
    default: 180
extends_documentation_fragment:
  - ohmykube.cluster.attributes
  - ohmykube.cluster.kubeadm
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
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

from ansible_collections.ohmykube.cluster.plugins.module_utils import control_planes, moving
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd, gateway
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import CONFIG, KUBELET, Kubeadm, Setup, alone
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "config": {"type": "str", "required": True, "no_log": True},
    "node": {"type": "str", "required": True},
    "address": {"type": "str", "default": ""},
    "patches": {"type": "dict", "default": {}},
    "control_plane": {"type": "bool", "default": False},
    "static_pods": {"type": "dict", "default": {}},
    "unjoined": {"type": "bool", "default": False},
    "init_config": {"type": "str", "default": "", "no_log": True},
    "others": {"type": "list", "elements": "str", "default": []},
    "shared_address": {"type": "str", "default": ""},
    "ignore_preflight": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 180},
}
REACH_TIMEOUT = 30  # seconds that the API server may take to say whether it knows the node


@alone
def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubeadm, plane = Kubeadm(host, options["ignore_preflight"]), options["control_plane"]
    old = moving.old_address(host, options["address"])
    if old and plane and kubeadm.initialised() and not options["unjoined"]:
        if not check_mode:
            _move(kubeadm, options, old)
        return {"changed": True}
    if old and not check_mode:
        moving.move_worker(host, old, options["address"])
    needed = options["unjoined"] or kubeadm.needs_join(options["node"], control_plane=plane, timeout=REACH_TIMEOUT)
    placed = False
    if needed and not check_mode:
        if plane and options["shared_address"]:
            kubeadm.wipe()
            control_planes.let_go(host, options["shared_address"])
        setup = Setup(options["config"], options["patches"], options["static_pods"], plane)
        kubeadm.join(setup, timeout=options["timeout"])
    elif plane and not needed:
        placed = kubeadm.place_pods(options["static_pods"], dry_run=check_mode)
    if old and not check_mode:
        moving.settle(host, Kubectl(host, KUBELET), options["node"], options["address"])
    return {"changed": bool(old) or needed or placed}


def _move(kubeadm: Kubeadm, options: dict[str, Any], old: str) -> None:
    """A control plane beside others. Its kubelet may ask the API server here alone, which has to start anew first."""
    host, new = kubeadm.host, options["address"]
    moving.tell_others(Etcd(gateway(host)), options["others"], old, new)
    moving.move_control_plane(host, kubeadm, options["init_config"], old, new)
    kubeadm.place_pods(options["static_pods"])
    moving.settle(host, Kubectl(host, KUBELET), options["node"], new, timeout=options["timeout"])
    host.path(CONFIG).unlink(missing_ok=True)


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
