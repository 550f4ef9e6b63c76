# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Names of the nodes, in a block of our own in /etc/hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, plan_file
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

# cloud-init with manage_etc_hosts writes /etc/hosts anew at every boot, from the template.
FILES = ("/etc/hosts", "/etc/cloud/templates/hosts.debian.tmpl")
_BLOCK = re.compile(r"^# BEGIN ohmykube\n.*?^# END ohmykube\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Name:
    name: str
    address: str


def plan(host: Host, names: Sequence[Name]) -> list[Change]:
    """names: in the order given; none removes the block."""
    block = ""
    if names:
        by_address: dict[str, list[str]] = {}
        for entry in names:
            by_address.setdefault(entry.address, []).append(entry.name)
        lines = "".join(f"{address} {' '.join(known)}\n" for address, known in by_address.items())
        block = f"# BEGIN ohmykube\n{lines}# END ohmykube\n"
    changes = [_plan_block(host, path, block) for path in FILES]
    return [change for change in changes if change]


def _plan_block(host: Host, path: str, block: str) -> Change | None:
    text = host.read(path)
    if text is None:
        if path != FILES[0] or not block:
            return None
        text = ""
    if _BLOCK.search(text):
        return plan_file(host, path, _BLOCK.sub(lambda _: block, text, count=1))
    if not block:
        return None
    separator = "" if text.endswith("\n") or not text else "\n"
    return plan_file(host, path, text + separator + block)
