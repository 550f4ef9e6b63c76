#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_overview
short_description: See a whole cluster at a glance, from a control plane
description:
  - Asks the API server once for nodes, pods, services and workloads, and sums them up. Judges nothing, changes nothing,
    and takes a few seconds at most, whatever hangs.
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
- name: See the cluster
  ohmykube.cluster.cluster_overview:
  register: cluster
"""

RETURN = r"""
problem:
  description: Why the API server did not answer; empty where it did. Else the lists below are empty.
  returned: always
  type: str
nodes:
  description:
    - Each with C(name), C(ready), C(words) of the kubelet, C(address), C(cordoned), C(pressures) and C(version).
    - And C(allocatable), C(requested) by its pods, and C(used), each with C(cpu) in CPUs and C(memory) in bytes; the
      first two also with C(pods). V(none) for C(used) where no metrics API tells of it.
  returned: always
  type: list
  elements: dict
workloads:
  description:
    - What the cluster itself and its add-ons run, with C(kind), C(namespace), C(name), the C(addon) that it is part of
      or an empty text, and what is C(missing) of it in words; empty where all of it is available.
  returned: always
  type: list
  elements: dict
load_balancers:
  description: Services of that type, with C(namespace), C(name), C(addresses) and C(ports).
  returned: always
  type: list
  elements: dict
certificates:
  description: Those of this node, the first to end first. C(path), C(ends) in seconds since the epoch, and C(kind).
  returned: always
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.health.overview import look
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module

ARGUMENTS: dict[str, Any] = {}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 - as every module
    return {"changed": False, **look(host)}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
