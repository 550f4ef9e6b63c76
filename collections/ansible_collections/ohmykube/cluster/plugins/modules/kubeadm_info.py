#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_info
short_description: Ask a machine which images kubeadm will run, and whether it has joined a cluster
description:
  - Changes nothing.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  version:
    description: Kubernetes version whose images are asked for, with its leading v.
    type: str
    required: true
  control_plane:
    description: Whether the machine is to be a control plane, which has joined only when it is finished.
    type: bool
    default: false
  address:
    description: The machine's address, to see whether it was another one when the node was made.
    type: str
    default: ""
  node:
    description:
      - Name of the node, where there are other control planes. One that was finished has joined only while the API
        server knows it then.
    type: str
    default: ""
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
- name: Look at the machine
  ohmykube.cluster.kubeadm_info:
    version: v1.36.4
  register: machine
"""

RETURN = r"""
images:
  description: References of the images of a control plane. Empty in check mode where there is no kubeadm yet.
  returned: always
  type: list
  elements: str
  sample: [registry.k8s.io/pause:3.10.2]
joined:
  description: Whether the kubelet has an identity, of whatever cluster, and a control plane is finished and known.
  returned: always
  type: bool
control_plane:
  description: Whether this is a control plane that was finished.
  returned: always
  type: bool
moved:
  description: Whether the node was made with another address, and not all that has it is put right.
  returned: always
  type: bool
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import moving
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import KUBELET, Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "version": {"type": "str", "required": True},
    "control_plane": {"type": "bool", "default": False},
    "address": {"type": "str", "default": ""},
    "node": {"type": "str", "default": ""},
}
LIST_TIMEOUT = 60  # seconds; it reads nothing but its own constants when a version is named


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubeadm = Kubeadm(host)
    finished = kubeadm.initialised()
    joined = host.path(KUBELET).exists() and (finished or not options["control_plane"])
    if joined and options["node"] and options["control_plane"]:
        joined = not kubeadm.forgotten(options["node"])
    moved = bool(moving.old_address(host, options["address"]))
    told = {"changed": False, "joined": joined, "control_plane": finished, "moved": moved}
    if check_mode and not host.path("/usr/local/bin/kubeadm").exists():
        return {**told, "images": []}
    version = f"--kubernetes-version={options['version']}"
    return {**told, "images": kubeadm.run("config", "images", "list", version, timeout=LIST_TIMEOUT).split()}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
