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
        kubeconfigs are put right. Of several control planes, most must have the addresses that they had.
    type: str
    default: ""
  shared_address:
    description:
      - An address that several control planes share. This one holds it while C(kubeadm init) runs; a static pod of
        O(static_pods) does later.
    type: str
    default: ""
  others:
    description: The other control planes that the cluster has, or may have, since nobody could ask them.
    type: list
    elements: str
    default: []
  unseen:
    description: Those of O(others) that could not be asked whether they have a cluster. No second one is made then.
    type: list
    elements: str
    default: []
  nodes:
    description: All nodes that the cluster shall have, each with its address, or an empty text for any.
    type: dict
    default: {}
  unjoined:
    description:
      - Those of O(nodes), without this one, that have not joined (M(ohmykube.cluster.kubeadm_info)). The API server
        calls a node Ready for most of a minute after its machine was made anew.
      - They are to leave etcd before they join. Where too few of its members work for that, it is an error.
    type: list
    elements: str
    default: []
  moved:
    description: Those of O(nodes) that have other addresses than they were made with.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that C(kubeadm init), or the API server of a finished control plane, may take.
    type: int
    default: 300
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
- name: Make the cluster
  ohmykube.cluster.kubeadm_init:
    config: "{{ lookup('ansible.builtin.file', 'kubeadm.yaml') }}"
    nodes:
      dev-control-plane-1: 10.0.0.2
      dev-worker-1: 10.0.0.3
"""

RETURN = r"""
missing:
  description: Those of O(nodes) that the API server does not call Ready at their address, O(unjoined) and O(moved).
  returned: always
  type: list
  elements: str
  sample: [dev-worker-1]
"""

import os
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import control_planes, etcd, moving, tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm, Setup, alone
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

_MOVED = "/var/lib/ohmykube/endpoint-moved"  # while pods of the host's network may not know it yet
ARGUMENTS = {
    "config": {"type": "str", "required": True, "no_log": True},
    "address": {"type": "str", "default": ""},
    "patches": {"type": "dict", "default": {}},
    "static_pods": {"type": "dict", "default": {}},
    "shared_address": {"type": "str", "default": ""},
    "others": {"type": "list", "elements": "str", "default": []},
    "unseen": {"type": "list", "elements": "str", "default": []},
    "ignore_preflight": {"type": "list", "elements": "str", "default": []},
    "nodes": {"type": "dict", "default": {}},
    "unjoined": {"type": "list", "elements": "str", "default": []},
    "moved": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 300},
}


@alone
def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubeadm, address = Kubeadm(host, options["ignore_preflight"]), options["address"]
    made = kubeadm.initialised()
    if not made:
        control_planes.refuse_another(options["unseen"])
    old = moving.old_address(host, address) if made else ""
    own = next((name for name, at in options["nodes"].items() if at == address.partition(",")[0]), os.uname().nodename)
    if made:
        moving.refuse_most([own, *options["others"]], options["moved"])
    if check_mode:
        needed = kubeadm.needs_init(timeout=options["timeout"])
        placed = kubeadm.place_pods(options["static_pods"], dry_run=True)
        return {"changed": bool(old) or needed or placed, "missing": []}
    members = etcd.Etcd(etcd.gateway(host))
    if old:
        if options["others"]:
            moving.tell_others(members, _addresses(options, "others"), old, address)
        moving.move_control_plane(host, kubeadm, options["config"], old, address)
    changed = _init(kubeadm, options) if not made else _keep(kubeadm, options)
    if old:
        moving.tell_cluster(kubeadm)
        if not options["others"]:
            moving.tell_etcd(members, old, address)
        moving.settle(host, Kubectl(host), own, address, timeout=options["timeout"])
    if made and options["unjoined"] and etcd.runs_here(host):
        leaving = options["unjoined"], _addresses(options, "unjoined")
        patiently(lambda: etcd.refuse_loss(members, *leaving), timeout=options["timeout"])
    late = [*options["unjoined"], *options["moved"]]
    missing = tokens.missing_nodes(Kubectl(host), options["nodes"], late, timeout=options["timeout"])
    return {"changed": bool(old) or changed, "missing": missing}


def _addresses(options: dict[str, Any], which: str) -> list[str]:
    found = [options["nodes"].get(name, "") for name in options[which]]
    return [address for address in found if address]


def _init(kubeadm: Kubeadm, options: dict[str, Any]) -> bool:
    host, shared = kubeadm.host, options["shared_address"]
    interface = control_planes.take_address(host, shared, options["address"]) if shared else ""
    try:
        kubeadm.init(Setup(options["config"], options["patches"], options["static_pods"]), timeout=options["timeout"])
    except BaseException:
        if interface:
            control_planes.give_address_back(host, shared, interface)
        raise
    return True


def _keep(kubeadm: Kubeadm, options: dict[str, Any]) -> bool:
    """Of a control plane that is there. Where others are to come, nodes find it at another address from now on."""
    moved = kubeadm.host.path(_MOVED)
    if kubeadm.place_pods(options["static_pods"], dry_run=True):
        moved.touch()  # whoever is killed from here on finishes next time
    kubeadm.place_pods(options["static_pods"])  # first: it is kube-vip through which the API server is asked
    kubeadm.needs_init(timeout=options["timeout"])
    if not moved.exists():
        return False
    control_planes.renew_host_network(Kubectl(kubeadm.host))
    moved.unlink()
    return True


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
