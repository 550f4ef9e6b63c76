# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Inventory plug-in: instances of Lima, whoever made them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lima
short_description: Instances of Lima
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Asks C(limactl) for the instances of this user, so that roles can be run on machines that nobody but Lima has made.
  - All are in the group C(lima), and by their status in C(lima_running), C(lima_stopped) and so on. They are reached
    through the ssh configuration that Lima keeps for each.
  - The file's name ends in C(lima.yml) or C(lima.yaml).
  - For clusters that C(ohmykube up) made, use P(ohmykube.cluster.ohmykube#inventory), which also knows their roles.
extends_documentation_fragment: [constructed]
options:
  plugin:
    description: Names this plug-in.
    required: true
    choices: [ohmykube.cluster.lima]
    type: str
  instances:
    description: Patterns, as of a shell; instances whose name matches one of them are taken.
    type: list
    elements: str
    default: ["*"]
  limactl:
    description: The program, or its path.
    type: str
    default: limactl
  home:
    description: Lima's home. Where it is not given, Lima's own default.
    type: path
    env:
      - name: LIMA_HOME
"""

EXAMPLES = r"""
# vms.lima.yml: all instances
plugin: ohmykube.cluster.lima

# Some of them, as groups of a cluster:
# plugin: ohmykube.cluster.lima
# instances: ["k8s-*"]
# groups:
#   control_plane: inventory_hostname == 'k8s-1'
#   workers: inventory_hostname != 'k8s-1'
"""

import json
import os
import subprocess
from fnmatch import fnmatch
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

_TIMEOUT = 60  # seconds; limactl asks each instance
_TOLD = ("status", "dir", "arch", "cpus", "memory", "disk", "vmType")


class InventoryModule(BaseInventoryPlugin, Constructable):
    """What `limactl list` says."""

    NAME = "ohmykube.cluster.lima"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("lima.yml", "lima.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        inventory.add_group("lima")
        for instance in self._instances():
            self._add(inventory, instance)

    def _instances(self) -> list[dict[str, Any]]:
        argv = [self.get_option("limactl"), "list", "--format=json"]
        home = self.get_option("home")
        environment = {**os.environ, **({"LIMA_HOME": home} if home else {})}
        try:
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
            found = [json.loads(line) for line in done.stdout.splitlines() if line]
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", "") or error
            raise AnsibleParserError(f"{' '.join(argv)}: {said}") from error
        patterns = self.get_option("instances")
        return [instance for instance in found if any(fnmatch(instance["name"], each) for each in patterns)]

    def _add(self, inventory: Any, instance: dict[str, Any]) -> None:
        name, config = instance["name"], instance.get("sshConfigFile") or ""
        inventory.add_host(name, "lima")
        group = inventory.add_group(f"lima_{(instance.get('status') or 'unknown').lower()}")
        inventory.add_host(name, group)
        # The name that Lima's file of ssh knows it by.
        variables = {"ansible_host": f"lima-{name.replace('.', '-').replace('_', '-')}"}
        variables |= {"ansible_ssh_common_args": f"-F '{config}'"} if config else {}
        variables |= {f"lima_{key.lower()}": instance[key] for key in _TOLD if key in instance}
        for key, value in variables.items():
            inventory.set_variable(name, key, value)
        known, strict = inventory.get_host(name).get_vars(), self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), known, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), known, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, name, strict=strict)
