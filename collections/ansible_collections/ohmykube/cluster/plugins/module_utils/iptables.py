# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Several changes to iptables at once. Standard library only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_TIMEOUT = 30  # seconds
_WAIT = "--wait=10"  # seconds for others that change rules


def restore(host: Host, tool: str, lines: Iterable[str]) -> None:
    """All of the lines or none, beside what is there. tool: iptables, ip6tables-legacy and the like."""
    with tempfile.NamedTemporaryFile("w", prefix="ohmykube-", suffix=".rules") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        host.command([f"{tool}-restore", "--noflush", _WAIT, file.name], _TIMEOUT)
