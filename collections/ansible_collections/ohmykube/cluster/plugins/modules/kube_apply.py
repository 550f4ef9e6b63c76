#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_apply
short_description: Apply manifests to the cluster, from a control plane
description:
  - Applies manifests by server-side apply as the field manager C(ohmykube), with kubectl and the administrator's
    kubeconfig of the node.
  - What changed is what the API server recorded as changed by that field manager.
  - Manifests of which each document is a line of JSON are sent only where an object lacks something that its manifest
    says, or was applied from another one. The annotation C(ohmykube.dev/applied) is the manifest's sum; Secrets with
    data have none.
  - While the API server or a webhook is still starting, it is tried again.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  manifests:
    description:
      - YAML texts, each of one or more documents.
      - They are applied one after another while the API does not know every kind, for one may bring the kinds of the
        next; all at once else.
    type: list
    elements: str
    required: true
  validate:
    description:
      - Whether a field that the API does not know is an error. It costs a quarter of a second, which manifests that are
        pinned and known to be right need not.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for an API or webhook that is still starting.
    type: int
    default: 120
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The names of the objects.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Apply a namespace
  ohmykube.cluster.kube_apply:
    manifests:
      - |
        apiVersion: v1
        kind: Namespace
        metadata: {name: demo}
"""

RETURN = r"""
changes:
  description: The objects that changed, as kind/namespace/name.
  returned: always
  type: list
  elements: str
  sample: [ConfigMap/kube-flannel/kube-flannel-cfg]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import applying
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS = {
    "manifests": {"type": "list", "elements": "str", "required": True},
    "validate": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 120},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if not options["manifests"]:
        return {"changed": False, "changes": []}
    changes = applying.apply_in_order(
        Kubectl(host),
        options["manifests"],
        timeout=options["timeout"],
        dry_run=check_mode,
        validate=options["validate"],
    )
    after = "".join(f"{change}\n" for change in changes)
    return {"changed": bool(changes), "changes": changes, "diff": {"before": "", "after": after}}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
