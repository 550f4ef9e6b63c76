# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Packet rules of the kubelet, kube-proxy, Cilium, flannel and its CNI plug-ins; everybody else's stay as they are."""

from __future__ import annotations

import errno
import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.iptables import restore
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset.nftables import Table

_TIMEOUT = 30  # seconds
_OURS = ("KUBE-", "FLANNEL-", "CILIUM_")
# Of the CNI plug-ins, which podman and nerdctl run too. Chains that a network has for itself are called from rules that
# name it; those that all networks share go when nobody else has one.
_SHARED = "CNI-"
_PORTS, _DISPATCH = "CNI-HOSTPORT-", "CNI-HOSTPORT-DNAT"
_NETWORK = re.compile(r'name: \\"(?P<name>[^"\\]+)\\"')
_FLANNEL = "cbr0"
_TABLES = (
    "kube-proxy",
    "flannel-ipv4",
    "flannel-ipv6",
    "cni_hostport",
    "cni_plugins_masquerade",
    "kube-network-policies",
)
# Both kinds of iptables may be in use at once: pods bring programs of their own.
_TOOLS = ("iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
_OF_IPTABLES = {(family, table) for family in ("ip", "ip6") for table in ("filter", "nat", "mangle", "raw", "security")}


class Nftables(Protocol):
    def tables(self) -> list[Table]: ...
    def empty(self) -> list[Table]: ...
    def delete(self, table: Table) -> None: ...
    def discard(self, table: Table) -> None: ...


@dataclass(frozen=True)
class Saved:
    """What is ours in one table of iptables: chains, and the rules of others' chains that lead into them."""

    name: str
    chains: tuple[str, ...]
    jumps: tuple[str, ...]

    def removal(self) -> list[str]:
        """For `iptables-restore --noflush`, which does all of it or nothing."""
        gone = [f"-D{rule.removeprefix('-A')}" for rule in self.jumps]
        flushed = [f"-F {chain}" for chain in self.chains]
        return [f"*{self.name}", *gone, *flushed, *(f"-X {chain}" for chain in self.chains), "COMMIT"]


@dataclass(frozen=True)
class Rules:
    host: Host
    nftables: Nftables

    def find(self) -> list[str]:
        chains = [
            f"{tool} {saved.name} {chain}" for tool in _TOOLS for saved in self._saved(tool) for chain in saved.chains
        ]
        tables = [*self._ours(), *self._empty()]
        return [*chains, *(f"nftables {family} {name}" for family, name in tables)]

    def remove(self) -> None:
        for tool in _TOOLS:
            lines = [line for saved in self._saved(tool) if saved.chains for line in saved.removal()]
            if lines:
                restore(self.host, tool, lines)
        for table in self._ours():
            self.nftables.delete(table)
        for table in self._empty():
            try:
                self.nftables.discard(table)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise

    def _ours(self) -> list[Table]:
        return [table for table in self.nftables.tables() if table[1] in _TABLES]

    def _empty(self) -> list[Table]:
        """Made by iptables-nft for rules that are gone: it makes them anew when it needs them."""
        return [table for table in self.nftables.empty() if table in _OF_IPTABLES]

    def _saved(self, tool: str) -> list[Saved]:
        """Nothing where the program is missing, or the kernel does not have what it asks for."""
        done = self.host.run([f"{tool}-save"], _TIMEOUT)
        return [] if done.code else parse(done.stdout)


def parse(text: str) -> list[Saved]:
    """The tables in the output of iptables-save."""
    return [_saved(*section.split("\n", 1)) for section in re.findall(r"^\*(.*?)^COMMIT$", text, re.M | re.S)]


def _saved(name: str, text: str) -> Saved:
    lines = text.splitlines()
    rules = [(line, line.split()[1], *_destination(line)) for line in lines if line.startswith("-A ")]
    networks = {target: network for _, _, target, network in rules if network and target.startswith(_SHARED)}
    others = {chain for _, chain, _, network in rules if network not in ("", _FLANNEL)}

    def ours(chain: str) -> bool:
        if chain in networks:
            return networks[chain] == _FLANNEL
        if chain.startswith(_PORTS):
            return _DISPATCH not in others
        return chain.startswith(_OURS) or (chain.startswith(_SHARED) and not others)

    chains = tuple(line[1:].split()[0] for line in lines if line.startswith(":") and ours(line[1:].split()[0]))
    jumps = tuple(rule for rule, chain, target, _ in rules if ours(target) and not ours(chain))
    return Saved(name, chains, jumps)


def _destination(rule: str) -> tuple[str, str]:
    """The chain that a rule leads to, and the CNI network that it names; empty without one."""
    words = shlex.split(rule)
    target = next((after for word, after in pairwise(words) if word in ("-j", "-g")), "")
    named = _NETWORK.search(rule)
    return target, named["name"] if named else ""
