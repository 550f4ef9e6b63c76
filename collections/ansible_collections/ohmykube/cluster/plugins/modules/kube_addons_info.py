#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_addons_info
short_description: Ask the API server how add-ons are
description:
  - Tells, on a control plane, which add-ons are in the cluster and what of them is not ready. Changes nothing.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  ready:
    description: For each add-on by name, workloads that something else makes, as C(Kind/namespace/name).
    type: dict
    default: {}
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
- name: Ask how add-ons are
  ohmykube.cluster.kube_addons_info:
  register: addons
"""

RETURN = r"""
addons:
  description:
    - Each add-on by name. C(version); C(missing), a line for each thing that is not ready.
  returned: success
  type: dict
  sample: {metrics-server: {version: v0.9.0, missing: []}}
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import installing, records
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS: dict[str, Any] = {"ready": {"type": "dict", "default": {}}}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 - as every module
    kubectl = Kubectl(host)
    found = {
        name: {
            "version": record.version,
            "missing": list(installing.missing(kubectl, {name: record.kinds}, options["ready"].get(name, ()))),
        }
        for name, record in records.read(kubectl).items()
    }
    return {"changed": False, "addons": found}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
