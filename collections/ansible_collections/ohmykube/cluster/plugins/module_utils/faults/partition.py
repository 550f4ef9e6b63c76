# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A machine that others cannot reach and that reaches none of them: two chains of iptables.

Packets that come are judged before anything translates where they go, those that go after everything has. It is not
done with nft, which reads everybody's rules before it changes its own: older ones (seen with 1.0.6) crash on those that
a newer one, such as kube-proxy's own, has written.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Sequence

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import asker
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.plan import PEERS, Argv, Plan, Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.iptables import restore

_TOOLS = {4: "iptables", 6: "ip6tables"}
_TABLE = "--table=mangle"  # before DNAT on the way in, after it on the way out
_CHAINS = {"PREROUTING": "OHMYKUBE-CHAOS-IN", "POSTROUTING": "OHMYKUBE-CHAOS-OUT"}
_WAIT = "--wait=5"  # seconds for others that change rules
_TIMEOUT = 10  # seconds


class Partition:
    def plan(self, host: Host, options: dict[str, object], seconds: float) -> Plan:
        peers = addresses(options[PEERS])
        networks = [*peers, *_networks_behind(host, peers)]
        cut = {version: found for version in _TOOLS if (found := [net for net in networks if _version(net) == version])}
        for version in cut:
            _refuse_without(host, _TOOLS[version])
        asking = asker.find(host)

        def apply() -> None:
            for version, nets in cut.items():
                restore(host, _TOOLS[version], _rules(host, version, nets, asking))

        undo = tuple(argv for version in cut for argv in _undo(_TOOLS[version]))
        return Plan("partition", f"partition from {', '.join(peers)}", apply, undo)

    def found(self, host: Host, record: Record | None) -> bool:
        return any(_does(host, tool, "-S", chain) for tool in _TOOLS.values() for chain in _CHAINS.values())

    def strays(self, host: Host) -> tuple[Argv, ...]:
        return tuple(argv for tool in _TOOLS.values() for argv in _undo(tool))


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


def _rules(host: Host, version: int, networks: Sequence[str], asking: asker.Asker | None) -> list[str]:
    """In one transaction, whatever was there before: chains that are named are emptied."""
    rules = ["*mangle", *(f":{chain} - [0:0]" for chain in _CHAINS.values())]
    for hook, (address, port) in zip(_CHAINS, (("-s", "--dport"), ("-d", "--sport")), strict=True):
        chain = _CHAINS[hook]
        if asking and _version(asking.address) == version:  # its ssh goes on, also where it is one of the peers
            rules.append(f"-A {chain} {address} {asking.address} -p tcp -m tcp {port} {asking.port} -j RETURN")
        rules += [f"-A {chain} {address} {network} -j DROP" for network in networks]
        if not _does(host, _TOOLS[version], "-C", hook, "-j", chain):
            rules.append(f"-I {hook} -j {chain}")
    return [*rules, "COMMIT"]


def _undo(tool: str) -> Iterator[Argv]:
    """The chains are emptied first: with that it is over."""
    for verb in ("-F", "-D", "-X"):
        for hook, chain in _CHAINS.items():
            yield (tool, _WAIT, _TABLE, verb, *((hook, "-j", chain) if verb == "-D" else (chain,)))


def _does(host: Host, tool: str, *words: str) -> bool:
    return host.run([tool, _WAIT, _TABLE, *words], _TIMEOUT).code == 0


def _refuse_without(host: Host, tool: str) -> None:
    if host.run([tool, "--version"], _TIMEOUT).code:
        raise OhmykubeError(
            "fault.tool", f"this machine has no {tool}", hint="install it there: apt-get install iptables"
        )


def _version(network: str) -> int:
    return ipaddress.ip_network(network).version
