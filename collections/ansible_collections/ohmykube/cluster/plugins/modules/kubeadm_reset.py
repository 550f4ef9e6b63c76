#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_reset
short_description: Take Kubernetes away from a machine
description:
  - Runs C(kubeadm reset), then removes what that leaves behind, in whatever state the node is. That is pods, their
    mounts and network, interfaces, routes and packet rules of kube-proxy, flannel and the CNI plug-ins, and the data of
    the kubelet, of etcd and of the containers.
  - containerd is stopped and its data is wiped where M(ohmykube.cluster.service) runs it; one that somebody else
    installed is left alone.
  - Where M(ohmykube.cluster.service) runs no kubelet, there is no node of ours, and a Kubernetes of somebody else is
    left alone.
  - Raw disks that M(ohmykube.cluster.raw_disks) gave to Ceph are empty afterwards, as they were before. Others are not
    touched.
  - The data of the cluster is gone afterwards. Nothing is removed that lies behind a mount point.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  folders:
    description: Further folders that are wiped, those of local volumes for instance.
    type: list
    elements: path
    default: []
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Take Kubernetes away
  ohmykube.cluster.kubeadm_reset:
    folders: [/opt/local-path-provisioner]
"""

RETURN = r"""
changes:
  description: What was removed or would be, a line each.
  returned: always
  type: list
  elements: str
  sample: [kubeadm reset, interfaces removed]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import leftovers
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset.nftables import Nftables

ARGUMENTS = {"folders": {"type": "list", "elements": "path", "default": []}}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    return changed(leftovers.clear(host, Nftables(), options["folders"], dry_run=check_mode))


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
