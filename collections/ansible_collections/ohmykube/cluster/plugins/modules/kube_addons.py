#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: kube_addons
short_description: Bring add-ons into the cluster, and take others away
description:
  - Applies the objects of add-ons on a control plane, as its administrator, in waves. An add-on comes when what it
    requires is ready; those that do not need each other come side by side.
  - Objects that an earlier version of an add-on had are taken away, but for namespaces, definitions of custom resources
    and volumes.
  - An add-on that leaves takes all with it that it brought, and nothing else. In its namespaces, that is all there is.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  addons:
    description: The add-ons, as P(ohmykube.cluster.addons#lookup) returns them, each as C(install).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the add-on.
        type: str
        required: true
      version:
        description: Its version, for people.
        type: str
        default: ""
      manifest:
        description: Its objects, as YAML.
        type: str
        required: true
      objects:
        description: C(apiVersion), C(kind) and C(metadata) with C(name) and C(namespace) of each.
        type: list
        elements: dict
        required: true
      requires:
        description: Names of the add-ons that it comes after.
        type: list
        elements: str
        default: []
      priority:
        description: Of those that could come next, the ones with the lowest number do.
        type: int
        default: 50
      secrets:
        description:
          - Keys of Secrets that get a random value, each as C(namespace/name/key), after the objects. A Secret that is
            there already is left alone.
        type: list
        elements: str
        default: []
      ready:
        description: Workloads that something else makes, as C(Kind/namespace/name), to wait for like its own.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds until it must be ready.
        type: int
        default: 300
      validate:
        description: Whether a field that the API does not know is an error.
        type: bool
        default: true
  absent:
    description: Names of add-ons to take away. One that is not there is gone already.
    type: list
    elements: str
    default: []
  force:
    description: Whether to lose volumes, and what others have made of an add-on's custom resources.
    type: bool
    default: false
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The names of the objects, and of add-ons that leave.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have metrics-server, and nothing more of another one
  ohmykube.cluster.kube_addons:
    addons: "{{ query('ohmykube.cluster.addons', 'metrics-server') | map(attribute='install') }}"
    absent: [old-dashboard]
"""

RETURN = r"""
changes:
  description: The objects that changed, as kind/namespace/name.
  returned: success
  type: list
  elements: str
  sample: [Deployment/kube-system/metrics-server]
removed:
  description: The add-ons that were there and have been taken away.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import installing, removing
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS: dict[str, Any] = {
    "addons": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "version": {"type": "str", "default": ""},
            "manifest": {"type": "str", "required": True, "no_log": True},
            "objects": {"type": "list", "elements": "dict", "required": True},
            "requires": {"type": "list", "elements": "str", "default": []},
            "priority": {"type": "int", "default": 50},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},  # their names alone
            "ready": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 300},
            "validate": {"type": "bool", "default": True},
        },
    },
    "absent": {"type": "list", "elements": "str", "default": []},
    "force": {"type": "bool", "default": False},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    kubectl = Kubectl(host)
    removed = removing.remove(kubectl, options["absent"], force=options["force"], dry_run=check_mode)
    wanted = [installing.Wanted(**addon) for addon in options["addons"]]
    changes = installing.install(kubectl, wanted, dry_run=check_mode)
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (removed, changes))
    return {
        "changed": bool(changes or removed),
        "changes": changes,
        "removed": removed,
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
