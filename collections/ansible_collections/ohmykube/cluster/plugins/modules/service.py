#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Write the files of a service and manage its systemd units
description:
  - Writes all files of a service, reloads systemd when unit files changed, enables and starts the units, and restarts
    those that run when one of the files changed, all in one task.
  - A unit whose main process runs a binary that has been replaced on disk is restarted too.
  - What was written is remembered on the node in C(/var/lib/ohmykube/services). A file that an earlier run wrote and
    that is no longer listed is removed, and so are the folders made for it once they are empty.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  name:
    description: Name of the service, under which its files are remembered.
    type: str
    required: true
  units:
    description: The systemd units, in the order to start them. Without any, C(<name>.service).
    type: list
    elements: str
    default: []
  files:
    description: Files of the service, each written whole and atomically, owned by root.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. Missing folders are made.
        type: path
        required: true
      content:
        description: The whole content.
        type: str
      secret_content:
        description: The whole content, where it must not be seen in a diff or in the node's log.
        type: str
      mode:
        description: Permission bits, octal.
        type: str
        default: "0644"
      restart:
        description: Whether units that run are restarted when this file changes.
        type: bool
        default: true
  state:
    description:
      - V(started) enables the units and makes sure that they run.
      - V(enabled) enables them and leaves starting to somebody else; a unit that runs is restarted when a file changed.
      - V(absent) stops and disables the units and removes the files that earlier runs of the same O(name) wrote. A
        service that no run wrote is left alone.
    type: str
    choices: [started, enabled, absent]
    default: started
  ready:
    description: When a started service counts as ready, besides all units being active.
    type: dict
    suboptions:
      socket:
        description: A Unix socket that must accept a connection.
        type: path
        required: true
  timeout:
    description: How long a call of systemctl, and the wait for readiness, may each take, in seconds.
    type: int
    default: 60
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
- name: Run a demon with its unit and configuration
  ohmykube.cluster.service:
    name: demo
    files:
      - path: /etc/systemd/system/demo.service
        content: "{{ lookup('ansible.builtin.template', 'demo.service.j2') }}"
      - path: /etc/demo/token
        secret_content: "{{ demo_token }}"
        mode: "0600"
    ready:
      socket: /run/demo.sock

- name: Take it away
  ohmykube.cluster.service:
    name: demo
    state: absent
"""

RETURN = r"""
changes:
  description: What changed or would change, a line each.
  returned: always
  type: list
  elements: str
  sample: [/etc/demo/demo.toml, demo.service restart]
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module
from ansible_collections.ohmykube.cluster.plugins.module_utils.service import (
    File,
    Service,
    apply,
    plan,
    plan_absent,
    wait_ready,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "mode": {"type": "str", "default": "0644"},
    "restart": {"type": "bool", "default": True},
}
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "units": {"type": "list", "elements": "str", "default": []},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE,
        "mutually_exclusive": [("content", "secret_content")],
        "required_one_of": [("content", "secret_content")],
    },
    "state": {"type": "str", "choices": ["started", "enabled", "absent"], "default": "started"},
    "ready": {"type": "dict", "options": {"socket": {"type": "path", "required": True}}},
    "timeout": {"type": "int", "default": 60},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    systemd = Systemd(host, options["timeout"])
    if options["state"] == "absent":
        wanted = plan_absent(host, systemd, options["name"])
        if not check_mode:
            apply(host, options["name"], wanted)
        return changed(wanted.changes)

    service = Service(
        name=options["name"],
        units=tuple(options["units"]) or (f"{options['name']}.service",),
        files=tuple(_file(entry) for entry in options["files"]),
        started=options["state"] == "started",
    )
    wanted = plan(host, systemd, service)
    if not check_mode:
        apply(host, service.name, wanted)
        if service.started:
            wait_ready(host, systemd, service, (options["ready"] or {}).get("socket", ""), options["timeout"])
    return changed(wanted.changes)


def _file(entry: dict[str, object]) -> File:
    secret = entry["secret_content"] is not None
    return File(
        path=str(entry["path"]),
        content=str(entry["secret_content"] if secret else entry["content"]),
        mode=int(str(entry["mode"]), 8),
        secret=secret,
        restart=bool(entry["restart"]),
    )


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
