#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_identity
short_description: Sign a kubelet's identity, or give it to the kubelet
description:
  - A kubelet renews its certificate by itself, unless it was off for longer than the old one was good. Then a control
    plane signs one anew, without the API server, which may not run for the same reason.
  - Use it with C(no_log), for it returns a secret.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  node:
    description: Name of the node whose kubelet it is for.
    type: str
    required: true
  identity:
    description:
      - Certificate and key in PEM, as this module has returned them on a control plane; they become those of the
        kubelet on this machine, which is restarted. Empty to sign them here.
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
    details: An identity that is not good for longer than the one that is there changes nothing.
"""

EXAMPLES = r"""
- name: Sign on a control plane
  ohmykube.cluster.kubelet_identity:
    node: dev-worker-1
  delegate_to: dev-control-plane-1
  register: signed
  no_log: true

- name: Give it to the kubelet
  ohmykube.cluster.kubelet_identity:
    node: dev-worker-1
    identity: "{{ signed.identity }}"
  no_log: true
"""

RETURN = r"""
identity:
  description: Certificate and key; empty where they were given, and in check mode.
  returned: always
  type: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import identity
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "node": {"type": "str", "required": True},
    "identity": {"type": "str", "default": "", "no_log": True},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if not options["identity"]:
        return {"changed": False, "identity": "" if check_mode else identity.issue(host, options["node"])}
    changes = identity.install(host, options["identity"])
    if not check_mode:
        apply_all(changes)
    return {"changed": bool(changes), "identity": ""}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
