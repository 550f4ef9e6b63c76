#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_token
short_description: Make a bootstrap token for nodes that join now
description:
  - Makes a new token on a control plane and returns it together with the hash of the cluster's certificate authority.
  - Makes the API server forget nodes whose machines were made anew, for kubeadm refuses to join another one by a name
    that is Ready.
  - The token ends by itself after 15 minutes; M(ohmykube.cluster.kube_nodes) deletes it sooner.
  - Use it with C(no_log), for it returns a secret.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  unjoined:
    description: Names of nodes that have not joined (M(ohmykube.cluster.kubeadm_info)).
    type: list
    elements: str
    default: []
  control_planes:
    description:
      - Addresses of those of O(unjoined) that are to be control planes, by name. What is left of them in etcd is taken
        out (M(ohmykube.cluster.kubeadm_init) has seen whether it may be), and the authorities' keys are kept in the
        cluster for them, encrypted.
    type: dict
    default: {}
  version:
    description: Kubernetes version, with its leading v. It is needed for O(control_planes).
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
    support: none
    details: Each run makes a token, which counts as no change of the cluster; forgetting a node does.
"""

EXAMPLES = r"""
- name: Make a token
  ohmykube.cluster.kubeadm_token:
    unjoined: [dev-worker-1]
  register: joining
  no_log: true
"""

RETURN = r"""
token:
  description: The token. Empty in check mode.
  returned: always
  type: str
ca_cert_hash:
  description: The hash of the cluster's certificate authority, as kubeadm writes it. Empty in check mode.
  returned: always
  type: str
certificate_key:
  description: The key to what new control planes are given. Empty where there is none of them, and in check mode.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import etcd, tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.control_planes import share_certificates
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "unjoined": {"type": "list", "elements": "str", "default": []},
    "control_planes": {"type": "dict", "default": {}},
    "version": {"type": "str", "default": ""},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if check_mode:
        return {"changed": False, "token": "", "ca_cert_hash": "", "certificate_key": ""}
    kubectl, planes = Kubectl(host), options["control_planes"]
    members = etcd.Etcd(etcd.gateway(host)) if planes and etcd.runs_here(host) else None  # else no node is one of it
    forgotten = tokens.forget_nodes(kubectl, options["unjoined"])
    key = share_certificates(Kubeadm(host), options["version"]) if planes else ""
    token = tokens.mint(kubectl)
    # Last: one that still runs ends now, and may have been the one that answered all this at the shared address.
    gone = etcd.forget(members, list(planes), planes.values()) if members else []
    return {"changed": bool(gone or forgotten), **token, "certificate_key": key}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
