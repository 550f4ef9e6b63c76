#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_hooks
short_description: Run scripts on a node, each of them once
description:
  - Runs the hooks of one moment, one after the other, as the user of the task and with C(/) as the folder. The first
    that fails ends it.
  - A hook that has succeeded does not run again while its text is the same. One that has changed runs once more, and
    one that failed, or was interrupted, runs again.
  - What a hook says, on both streams, is kept in C(/var/log/ohmykube/hooks/MOMENT-NAME.log), for root alone.
  - A script has E(OHMYKUBE_CLUSTER), E(OHMYKUBE_NODE) and E(OHMYKUBE_ROLE) in its environment, and nothing on its
    standard input. Without a first line like C(#!/usr/bin/env python3) it is run by C(sh -e), which ends at the first
    command that fails.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  moment:
    description:
      - When they run. The module does not care; a hook is known by its moment and name together.
      - Needed with O(state=present).
    type: str
    choices: [preSystem, postSystem, preKubernetes, postKubernetes]
  hooks:
    description: The hooks of this moment, in their order.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: By which it is known, in lower-case letters, digits and '-'.
        type: str
        required: true
      script:
        description: Its text.
        type: str
      file:
        description:
          - A file on the controller with its text. A relative path is looked for as that of M(ansible.builtin.copy).
        type: path
      timeout:
        description: Seconds that it may take. After that it is ended, with all that it started.
        type: int
        default: 600
  cluster:
    description: Name of the cluster, for the scripts.
    type: str
    default: ""
  node:
    description: Name of the node, for the scripts.
    type: str
    default: ""
  role:
    description: Role of the node, for the scripts.
    type: str
    choices: [control-plane, worker]
    default: worker
  state:
    description: V(absent) forgets which hooks ran and removes what they said. What they did stays.
    type: str
    choices: [present, absent]
    default: present
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
- name: Run hooks before the system is prepared
  ohmykube.cluster.node_hooks:
    moment: preSystem
    cluster: dev
    node: "{{ inventory_hostname }}"
    hooks:
      - name: certificates
        script: update-ca-certificates
      - name: disk
        file: disk.py
        timeout: 1800

- name: Forget them
  ohmykube.cluster.node_hooks:
    state: absent
"""

RETURN = r"""
changes:
  description: The hooks that ran or would run, a line each.
  returned: always
  type: list
  elements: str
  sample: [hook preSystem/certificates]
"""

import re
from contextlib import nullcontext
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize import hooks
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
HOOK = {
    "name": {"type": "str", "required": True},
    "script": {"type": "str"},
    "file": {"type": "path"},
    "timeout": {"type": "int", "default": 600},
}
ARGUMENTS = {
    "moment": {"type": "str", "choices": ["preSystem", "postSystem", "preKubernetes", "postKubernetes"]},
    "hooks": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": HOOK,
        "mutually_exclusive": [("script", "file")],
        "required_one_of": [("script", "file")],
    },
    "cluster": {"type": "str", "default": ""},
    "node": {"type": "str", "default": ""},
    "role": {"type": "str", "choices": ["control-plane", "worker"], "default": "worker"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    """script: also what the action has read of a file."""
    absent = options["state"] == "absent"
    wanted = [] if absent else _wanted(options)
    environment = {f"OHMYKUBE_{key.upper()}": options[key] for key in ("cluster", "node", "role")}
    try:
        with hooks.alone(host) if wanted and not check_mode else nullcontext():
            changes = hooks.plan_absent(host) if absent else hooks.plan(host, wanted, environment)
            if not check_mode:
                apply_all(changes)
    except OSError as error:
        hint = "run the task with become: true" if isinstance(error, PermissionError) else ""
        raise OhmykubeError("hook.failed", f"{error.filename}: {error.strerror}", hint=hint) from error
    return changed(changes)


def _wanted(options: dict[str, Any]) -> list[hooks.Hook]:
    """Raises OhmykubeError `hook.name`, `hook.moment`."""
    if not options["moment"]:
        raise OhmykubeError("hook.moment", "hooks have no moment", hint="name it: moment: preSystem")
    names = [entry["name"] for entry in options["hooks"]]
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            hint = "names are lower-case letters, digits and '-', and a moment has each of them once"
            raise OhmykubeError("hook.name", f"{name!r} cannot name a hook of {options['moment']}", hint=hint)
    return [
        hooks.Hook(options["moment"], entry["name"], entry["script"], entry["timeout"]) for entry in options["hooks"]
    ]


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
