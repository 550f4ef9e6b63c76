#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_health
short_description: Look at a node as a doctor does
description:
  - Tells how a node is; on a control plane also how the cluster is. Judges nothing, changes nothing, and takes a few
    seconds at most, whatever hangs.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options: {}
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
- name: Look at the node
  ohmykube.cluster.node_health:
  register: health
"""

RETURN = r"""
time:
  description: The node's clock at the beginning, in seconds since the epoch.
  returned: always
  type: float
own_clock:
  description: Whether the machine has a clock of its own. A container has that of its computer.
  returned: always
  type: bool
joined:
  description: Whether the kubelet has an identity, of whatever cluster.
  returned: always
  type: bool
services:
  description: The state of containerd and kubelet, as systemd calls it; V(not-found) where there is no such unit.
  returned: always
  type: dict
  sample: {containerd: active, kubelet: failed}
disks:
  description:
    - Each file system that a node writes to, with C(path), and with C(size), C(free), C(inodes) and C(inodes_free) in
      bytes and numbers.
  returned: always
  type: list
  elements: dict
memory:
  description: C(size) and C(free) in bytes; zero where the kernel does not tell.
  returned: always
  type: dict
certificates:
  description:
    - What is there, the first to end first. C(path), C(ends) in seconds since the epoch, and C(kind), which is
      V(kubeadm) for what kubeadm can renew, V(kubelet) for the identity of the kubelet, or V(authority).
  returned: always
  type: list
  elements: dict
pod_network:
  description: Names of the CNI configurations.
  returned: always
  type: list
  elements: str
  sample: [10-flannel.conflist]
dns:
  description: What is wrong with the cluster's DNS, asked from this node; empty where nothing is.
  returned: on a node that has joined
  type: str
api_server:
  description: What is wrong with this node's API server; empty where it calls itself ready.
  returned: on a control plane
  type: str
etcd:
  description: What is wrong with this node's etcd; empty where it is healthy, or does not tell.
  returned: on a control plane
  type: str
cluster:
  description:
    - The C(nodes) that the API server knows, and which workloads of the cluster itself are C(unavailable). Or the
      C(problem), in words.
  returned: on a control plane
  type: dict
dns_endpoints:
  description: The C(count) of pods that answer for DNS, or the C(problem).
  returned: on a control plane
  type: dict
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.health.look import look
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS: dict[str, Any] = {}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 - as every module
    return {"changed": False, **look(host)}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
