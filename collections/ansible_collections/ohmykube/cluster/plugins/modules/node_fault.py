#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_fault
short_description: Make a machine fail in a certain way for a certain time
description:
  - For people who test what they run on Kubernetes. A fault ends by itself, by a timer of the machine's own systemd
    that is armed before the fault begins, so it ends whatever becomes of the connection and of the computer that asked
    for it. O(state=absent) ends it at once, and so does a reboot.
  - What a machine does not have for itself is refused. That is the clock and the disk of a system container, and those
    of the computer that asks.
version_added: 0.1.0
author:
  - ohmykube contributors (@ohmykube)
options:
  state:
    description:
      - V(present) begins O(fault). One of the same kind that is there is replaced.
      - V(absent) ends it, or all of them where none is named. In check mode, this only tells which there are.
    type: str
    choices: [present, absent]
    default: present
  fault:
    description:
      - V(partition) drops all packets from and to O(peers) and the networks that are routed over them, except ssh of
        the computer that asks. It needs iptables.
      - V(delay) delays and loses what is sent over the interfaces that lead to O(peers). It needs the kernel's netem.
      - V(fill-disk) takes all room of the file system of O(path).
      - V(skew-clock) sets the clock wrong by O(skew), while what keeps the time is stopped.
    type: str
    choices: [partition, delay, fill-disk, skew-clock]
  seconds:
    description: How long it lasts, at most a day.
    type: float
    default: 60
  peers:
    description: IP addresses of other machines, at least one for V(partition) and V(delay).
    type: list
    elements: str
    default: []
  delay:
    description: How long V(delay) holds each packet back, in milliseconds.
    type: float
    default: 100
  loss:
    description: How many packets V(delay) loses, in percent.
    type: float
    default: 0
  path:
    description: A folder; its file system is filled.
    type: path
    default: /var/lib/kubelet
  skew:
    description: How much later than it is the clock shows, in seconds. Negative, it shows an earlier time.
    type: float
    default: 3600
extends_documentation_fragment:
  - ohmykube.cluster.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: With O(state=present), the time begins anew.
"""

EXAMPLES = r"""
- name: Cut the node off from its control plane for a minute
  ohmykube.cluster.node_fault:
    fault: partition
    peers: [192.168.105.11]

- name: End whatever is in force
  ohmykube.cluster.node_fault:
    state: absent
"""

RETURN = r"""
changes:
  description: What began or ended, or would, a line each.
  returned: always
  type: list
  elements: str
  sample: [partition from 192.168.105.11 for 60 s]
faults:
  description: What was in force when the task began, as the machine itself showed it.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: As in O(fault).
      type: str
    detail:
      description: What it does.
      type: str
    seconds:
      description: How long it still lasts; null where that is not known.
      type: float
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import keeper
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import changed, run_module

LONGEST = 86400  # seconds
SHORTEST = 2
ARGUMENTS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "fault": {"type": "str", "choices": ["partition", "delay", "fill-disk", "skew-clock"]},
    "seconds": {"type": "float", "default": 60},
    "peers": {"type": "list", "elements": "str", "default": []},
    "delay": {"type": "float", "default": 100},
    "loss": {"type": "float", "default": 0},
    "path": {"type": "path", "default": "/var/lib/kubelet"},
    "skew": {"type": "float", "default": 3600},
}


def run(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
    there = keeper.in_force(host)
    if options["state"] == "absent":
        changes = keeper.absent(host, [options["fault"]] if options["fault"] else list(keeper.KINDS))
    else:
        check(options)
        changes = [keeper.present(host, options["fault"], options, options["seconds"])]
    if not check_mode:
        apply_all(changes)
    return changed(changes, faults=there)


def check(options: dict[str, Any]) -> None:
    """Raises OhmykubeError `fault.options`."""
    wrong = ""
    if not options["fault"]:
        wrong = "no fault is named"
    elif not SHORTEST <= options["seconds"] <= LONGEST:
        wrong = f"a fault lasts {SHORTEST} to {LONGEST} seconds"
    elif not (0 <= options["delay"] <= 60_000 and 0 <= options["loss"] <= 100):
        wrong = "delay is 0 to 60000 ms, and loss 0 to 100 percent"
    elif options["fault"] == "skew-clock" and abs(options["skew"]) < 1:
        wrong = "the clock is wrong by a second at least"
    if wrong:
        raise OhmykubeError("fault.options", wrong, hint="`ansible-doc ohmykube.cluster.node_fault` shows them all")


def main() -> None:
    run_module(ARGUMENTS, run)


if __name__ == "__main__":
    main()
