#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Prepare a machine to be a node of Kubernetes
description:
  - Makes the kernel's features usable (overlay, br_netfilter, vxlan, nf_tables, nf_conntrack), sets the kernel
    parameters that Kubernetes asks for, switches swap off, makes the names of the nodes known and the clock kept.
  - A feature that is built into the kernel is as good as a module. Limits of inotify, which all containers of a kernel
    share, are raised and never lowered. A parameter that cannot be set, as in some containers, is accepted where its
    value suffices already.
  - Everything lasts across reboots and is undone by O(state=absent).
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  state:
    description: Whether the machine is prepared, or what was done to it is undone.
    type: str
    choices: [present, absent]
    default: present
  swap:
    description:
      - V(true) leaves swap as it is, and takes back what an earlier run with V(false) did. A machine with cgroup v1 is
        refused, since nothing could limit there what pods take of it; one without any swap is warned of.
      - V(false) switches it off and comments its lines in C(/etc/fstab), so that O(state=absent) can restore them.
    type: bool
    default: false
  hosts:
    description: Names for a block of our own in C(/etc/hosts). None removes the block.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A host name.
        type: str
        required: true
      address:
        description: Its IP address.
        type: str
        required: true
  sysctls:
    description: Further kernel parameters by name. One of the module's own is replaced by it.
    type: dict
    default: {}
  kernel_modules:
    description: Further kernel features by the name of their module, for instance V(ip_vs).
    type: list
    elements: str
    default: []
  reach:
    description: An address; the returned interface and address are those that can reach it. Empty, the default route.
    type: str
    default: ""
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
- name: Prepare the node
  ohmykube.cluster.node:
    hosts:
      - name: dev-control-plane-1
        address: 192.168.105.11
    kernel_modules: [ip_vs]
    sysctls:
      vm.max_map_count: 262144

- name: Undo it
  ohmykube.cluster.node:
    state: absent
"""

RETURN = r"""
changes:
  description: What changed or would change, a line each.
  returned: always
  type: list
  elements: str
  sample: [kernel module vxlan loaded, "sysctl net.ipv4.ip_forward: 0 -> 1", /etc/hosts]
clock:
  description: The unit that keeps the time; empty if no time daemon is installed.
  returned: when O(state=present)
  type: str
  sample: systemd-timesyncd.service
ansible_facts:
  description: What later roles read, so that no facts need to be gathered.
  returned: when O(state=present)
  type: dict
  contains:
    ohmykube_node:
      description: Of this machine.
      type: dict
      contains:
        arch:
          description: V(amd64) or V(arm64).
          type: str
        kernel:
          description: Release of the kernel.
          type: str
        cpus:
          description: Number of CPUs.
          type: int
        memory_mib:
          description: Memory in MiB.
          type: int
        cgroup_version:
          description: 2, or 1 where controllers are mounted as version 1.
          type: int
        interface:
          description: The interface towards O(reach); empty without a route.
          type: str
        address:
          description: This machine's address on that interface; empty without a route.
          type: str
        second_address:
          description: Its lasting IPv6 address there; empty without one.
          type: str
        placed:
          description: Whether files of M(ohmykube.cluster.node_files) are there.
          type: bool
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.node import clock, facts, kernel, names, swap, sysctl
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module

ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "swap": {"type": "bool", "default": False},
    "hosts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}},
    },
    "sysctls": {"type": "dict", "default": {}},
    "kernel_modules": {"type": "list", "elements": "str", "default": []},
    "reach": {"type": "str", "default": ""},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    if options["state"] == "absent":
        return undo(host, check_mode=check_mode)
    return prepare(options, host, check_mode=check_mode)


def prepare(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    features = kernel.plan(host, options["kernel_modules"])
    parameters = sysctl.plan(host, sysctl.as_text(options["sysctls"]), features.loading)
    time = clock.plan(host)
    changes = [
        *features.changes,
        *parameters.changes,
        *(swap.plan_restore(host) if options["swap"] else swap.plan_off(host)),
        *names.plan(host, [names.Name(**entry) for entry in options["hosts"]]),
        *time.changes,
    ]
    known = facts.gather(host, options["reach"])
    if options["swap"]:
        swap.refuse_old_cgroups(known)
    if not check_mode:
        apply_all(changes)
    warnings = [*parameters.warnings, *(swap.none(host) if options["swap"] else [])]
    return changed(changes, clock=time.daemon, ansible_facts={"ohmykube_node": known}, warnings=warnings)


def undo(host: Host, *, check_mode: bool) -> dict[str, Any]:
    """The clock stays kept: that is nobody's harm."""
    changes = [
        *names.plan(host, []),
        *swap.plan_restore(host),
        *sysctl.plan_absent(host),
        *kernel.plan_absent(host),
    ]
    if not check_mode:
        apply_all(changes)
    return changed(changes)


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
