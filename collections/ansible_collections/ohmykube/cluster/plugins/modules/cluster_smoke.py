#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_smoke
short_description: Try a cluster out with real pods
description:
  - Runs pods on every node, from a control plane, in the namespace C(ohmykube-smoke). They resolve names, fetch 109 kB
    from each other, from the service and from every node's port, and write and read a volume.
  - What the cluster does not have (a default StorageClass, addresses for load balancers, network policies) is skipped
    and named.
  - Fails after everything was tried, with a table of all of it.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  state:
    description:
      - V(tried) leaves the pods there, so that the load balancer can be tried from elsewhere.
      - V(absent) removes them.
    type: str
    choices: [tried, absent]
    default: tried
  image:
    description: Image of the pods, with busybox in it.
    type: str
    default: docker.io/library/busybox:1.37.0
  timeout:
    description: Seconds until the pods must run.
    type: int
    default: 120
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
    details: It tries nothing then.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: A second V(absent) changes nothing.
"""

EXAMPLES = r"""
- name: Try the cluster out
  ohmykube.cluster.cluster_smoke:

- name: Clear away
  ohmykube.cluster.cluster_smoke:
    state: absent
"""

RETURN = r"""
checks:
  description: What was tried.
  returned: when O(state=tried)
  type: list
  elements: dict
  contains:
    name:
      description: What it is.
      type: str
    where:
      description: The node it was tried from; empty for the whole cluster.
      type: str
    status:
      description: V(ok), V(failed) or V(skipped).
      type: str
    detail:
      description: Why it failed or was skipped.
      type: str
table:
  description: The same for people, a line each.
  returned: when O(state=tried)
  type: list
  elements: str
load_balancers:
  description: Addresses of the load balancer that serves C(/payload), as URLs have them; none where there is none.
  returned: when O(state=tried)
  type: list
  elements: str
  sample: [10.0.0.200, "[fd00::c8]"]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import run_module
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke.results import failed, table
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke.run import Smoke

ARGUMENTS = {
    "state": {"type": "str", "choices": ["tried", "absent"], "default": "tried"},
    "image": {"type": "str", "default": "docker.io/library/busybox:1.37.0"},
    "timeout": {"type": "int", "default": 120},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    smoke = Smoke(Kubectl(host), options["image"], options["timeout"])
    if options["state"] == "absent":
        present = smoke.present()
        if present and not check_mode:
            smoke.clear()
        return {"changed": present}
    if check_mode:
        return {"changed": False, "checks": [], "table": [], "load_balancers": []}
    return attempt(smoke)


def attempt(smoke: Smoke) -> dict[str, Any]:
    checks, seen = smoke.run()
    lines = table(checks)
    if wrong := failed(checks):
        raise OhmykubeError(
            "cluster.smoke",
            f"the cluster does not do all that it should: {len(wrong)} of {len(checks)} checks failed",
            hint="kubectl get pods --all-namespaces --output=wide; kubectl get events --all-namespaces",
            context={"checks": "\n" + "\n".join(lines)},
        )
    balancers = [one.load_balancer for one in seen if one.load_balancer]
    results = {"checks": [check.as_dict() for check in checks], "table": lines, "load_balancers": balancers}
    return {"changed": False, **results}


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
