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
    description: Names of nodes whose machines have no identity (M(ohmykube.cluster.kubeadm_info)).
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing anything.
    support: full
  diff_mode:
    description: Returns what changed.
    support: none
  idempotent:
    description: Each run makes a token, which counts as no change of the cluster; forgetting a node does.
    support: none
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
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {"unjoined": {"type": "list", "elements": "str", "default": []}}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if check_mode:
        return {"changed": False, "token": "", "ca_cert_hash": ""}
    kubectl = Kubectl(host)
    forgotten = tokens.forget_nodes(kubectl, options["unjoined"])
    return {"changed": bool(forgotten), **tokens.mint(kubectl)}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
