# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A machine that others cannot reach and that reaches none of them: a table of packet rules of its own.

Packets are judged as they are on the wire: before anything translates those that come, after everything has translated
those that go. The kernel itself forgets the addresses when the time is over, whatever becomes of the timer.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import asker
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.plan import PEERS, Argv, Plan, Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_TABLE = "inet ohmykube_chaos"
_UNDO: tuple[Argv, ...] = (("nft", "delete", "table", *_TABLE.split()),)
_TIMEOUT = 10  # seconds


class Partition:
    def plan(self, host: Host, options: dict[str, object], seconds: float) -> Plan:
        peers = addresses(options[PEERS])
        if host.run(["nft", "--version"], _TIMEOUT).code:
            raise OhmykubeError(
                "fault.tool", "this machine has no nft", hint="install it there: apt-get install nftables"
            )
        rules = _rules([*peers, *_networks_behind(host, peers)], asker.find(host), seconds)

        def apply() -> None:
            # nft 1.0.6 has died of SIGSEGV while others changed their rules; all of ours are one transaction.
            if host.run(["nft", rules], _TIMEOUT).code:
                host.command(["nft", rules], _TIMEOUT)

        return Plan("partition", f"partition from {', '.join(peers)}", apply, _UNDO)

    def found(self, host: Host, record: Record | None) -> bool:
        return host.run(["nft", "list", "table", *_TABLE.split()], _TIMEOUT).code == 0

    def strays(self, host: Host) -> tuple[Argv, ...]:
        return _UNDO


def addresses(given: object) -> list[str]:
    """IP addresses, checked. Raises OhmykubeError `fault.peers`."""
    try:
        checked = [str(ipaddress.ip_address(str(address))) for address in given]  # type: ignore[attr-defined]
    except ValueError as error:
        raise OhmykubeError("fault.peers", str(error), hint="peers are IP addresses of other machines") from error
    if not checked:
        raise OhmykubeError("fault.peers", "there is no other machine to be cut off from")
    return checked


def _networks_behind(host: Host, peers: Sequence[str]) -> list[str]:
    """Of the peers' pods, where the pod network hands packets to their machines without wrapping them up."""
    routes = []
    for family in ("-4", "-6"):
        shown = host.run(["ip", "-json", family, "route", "show", "table", "all"], _TIMEOUT)
        routes += json.loads(shown.stdout or "[]")
    return [route["dst"] for route in routes if route.get("gateway") in peers and route["dst"] != "default"]


def _rules(networks: Sequence[str], asking: asker.Asker | None, seconds: float) -> str:
    """In one transaction, whatever was there before."""
    return "\n".join(
        [
            f"add table {_TABLE}",
            f"delete table {_TABLE}",
            f"table {_TABLE} {{",
            *(_set(version, networks, seconds) for version in (4, 6)),
            "  chain comes {",
            "    type filter hook prerouting priority -400;",
            *(_way_in(asking, "saddr", "dport")),
            "    ip saddr @peers4 drop",
            "    ip6 saddr @peers6 drop",
            "  }",
            "  chain goes {",
            "    type filter hook postrouting priority 400;",
            *(_way_in(asking, "daddr", "sport")),
            "    ip daddr @peers4 drop",
            "    ip6 daddr @peers6 drop",
            "  }",
            "}",
            "",
        ]
    )


def _set(version: int, networks: Sequence[str], seconds: float) -> str:
    members = [network for network in networks if ipaddress.ip_network(network).version == version]
    listed = ", ".join(f"{network} timeout {seconds:.0f}s" for network in members)
    elements = f" elements = {{ {listed} }};" if members else ""
    return f"  set peers{version} {{ type ipv{version}_addr; flags interval, timeout;{elements} }}"


def _way_in(asking: asker.Asker | None, address: str, port: str) -> Iterable[str]:
    """ssh of the computer that asks, which may be one of the peers."""
    if asking:
        family = "ip6" if ":" in asking.address else "ip"
        yield f"    {family} {address} {asking.address} tcp {port} {asking.port} accept"
