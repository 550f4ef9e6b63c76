# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Inventory plug-in: the machines of a cluster that the command line made."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ohmykube
short_description: Machines, groups and role variables of an ohmykube cluster
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Reads what C(ohmykube up) wrote about a cluster, so that a playbook sees the hosts, groups and variables that the
    command line uses.
  - The groups are C(control_plane), C(workers), and C(group_NAME) for each group of workers.
  - The file's name ends in C(ohmykube.yml) or C(ohmykube.yaml).
extends_documentation_fragment: []
options:
  plugin:
    description: Names this plug-in.
    required: true
    choices: [ohmykube.cluster.ohmykube]
    type: str
  name:
    description: The cluster. Where it is not given, the one that C(ohmykube switch) or C(ohmykube up) chose last.
    type: str
    default: ""
    env:
      - name: OHMYKUBE_NAME
  home:
    description: Where ohmykube keeps its clusters.
    type: path
    default: ~/.ohmykube
    env:
      - name: OHMYKUBE_HOME
  wait_for:
    description:
      - A file that is there once the machines can be reached; the cluster is read then. For who starts Ansible while
        machines boot.
    type: path
  started_by:
    description:
      - The process that starts Ansible, its parent, and makes that file. Where it has ended, nobody waits any longer;
        where it takes Ansible's terminal with it, the tasks end too.
    type: int
"""

EXAMPLES = r"""
# inventories/ohmykube.yml: the current cluster
plugin: ohmykube.cluster.ohmykube

# Another one:
# plugin: ohmykube.cluster.ohmykube
# name: dev
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.ohmykube.cluster.plugins.module_utils import cluster_inventory
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

_POLL = 0.02  # seconds


class InventoryModule(BaseInventoryPlugin):
    """Thin: reads the files; module_utils/cluster_inventory.py decides what they mean."""

    NAME = "ohmykube.cluster.ohmykube"
    wait_limit = 1800.0  # seconds; machines that do not answer are given up sooner by who waits for them

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("ohmykube.yml", "ohmykube.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        if self.get_option("started_by"):  # runner, which has Ansible ignore it
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        try:
            self._wait()
            made = self._build(Path(self.get_option("home")).expanduser())
        except OhmykubeError as error:
            raise AnsibleParserError(f"{error.message} ({error.hint})") from error
        for group, hosts in made.groups.items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group)
        for group in cluster_inventory.MEMBERS:  # not `all`: the inventory may have hosts of somebody else's
            for name, value in made.variables.items():
                inventory.set_variable(group, name, value)
        for host, variables in made.hosts.items():
            for name, value in variables.items():
                inventory.set_variable(host, name, value)

    def _wait(self) -> None:
        wanted, starter = self.get_option("wait_for"), self.get_option("started_by")
        deadline = time.monotonic() + self.wait_limit
        while wanted and not Path(wanted).exists():
            ended = starter and os.getppid() != starter  # its end may have been told before anybody listened
            if ended or time.monotonic() > deadline:
                words = f"there is no {wanted}, and nobody who makes it"
                raise OhmykubeError("inventory.waited", words, hint="`ohmykube status` shows the machines")
            time.sleep(_POLL)

    def _build(self, home: Path) -> cluster_inventory.Inventory:
        name = self.get_option("name") or _text(home / "current", "no cluster is current").strip()
        folder = home / "clusters" / name
        cluster = yaml.safe_load(_text(folder / "cluster.yaml", f"there is no cluster {name!r}"))
        state = json.loads(_text(folder / "state.json", f"the cluster {name!r} has no machines yet"))
        return cluster_inventory.build(cluster, state)


def _text(path: Path, words: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        hint = "`ohmykube list` shows the clusters, `ohmykube up` makes one"
        raise OhmykubeError("inventory.unreadable", f"{words}: {path}: {error.strerror}", hint=hint) from error
