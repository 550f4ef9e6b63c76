# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Interfaces and routes of the pod network, and what the CNI plug-ins remember of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import ipvs

CONFIG = "/etc/cni/net.d/10-flannel.conflist"
CILIUM_CONFIG = "/etc/cni/net.d/05-cilium.conflist"
_BRIDGE = "cni0"
_LINKS = (_BRIDGE, "flannel.1", "flannel-v6.1", ipvs.LINK, "nodelocaldns")
# Cilium's own, and its ends of pods: LXC's bridge is lxcbr0.
_CILIUM = re.compile(r"cilium_(host|net|vxlan|geneve|wg0)|lxc_health|lxc[0-9a-f]{8,}")
_SUBNETS = "/run/flannel/subnet.env"
_RESERVED = "/var/lib/cni/networks/cbr0"  # addresses of pods, by flannel's name for the network
_TIMEOUT = 30  # seconds


def forget(host: Host) -> None:
    """Make a node that joins anew take the subnet that it is given then.

    A bridge with an address of the old one would refuse every pod, and the old files would hand out its addresses.
    """
    remove_links(host)
    for path in (CONFIG, CILIUM_CONFIG, _SUBNETS):
        host.path(path).unlink(missing_ok=True)
    for reserved in host.path(_RESERVED).glob("*"):
        reserved.unlink()


def links(host: Host) -> list[str]:
    """Those of flannel, Cilium and kube-proxy, and the host's ends of pods that are on the bridge."""
    there = sorted(host.path("/sys/class/net").glob("*"))
    pods = [path.name for path in there if _bridge(path) == _BRIDGE]
    return [*pods, *(path.name for path in there if path.name in _LINKS or _CILIUM.fullmatch(path.name))]


def remove_links(host: Host) -> None:
    """One that has gone by itself, with its pod's namespace, is as good."""
    there = links(host)
    if ipvs.LINK in there:
        ipvs.clear(host)
    for name in there:
        host.run(["ip", "link", "delete", "dev", name], _TIMEOUT)


def routes(host: Host) -> list[str]:
    """Routes into flannel's network: with the backend host-gw they lead over the machine's own interface."""
    return [line for network in _networks(host) for line in _routes(host, network)]


def remove_routes(host: Host) -> None:
    for network in _networks(host):
        if _routes(host, network):
            host.command([*_ip(network), "route", "flush", "root", network], _TIMEOUT)


def _bridge(interface: Path) -> str:
    try:
        return (interface / "brport/bridge").readlink().name
    except OSError:  # on none, or it is just going
        return ""


def _networks(host: Host) -> list[str]:
    lines = (host.read(_SUBNETS) or "").splitlines()
    return [value for key, _, value in (line.partition("=") for line in lines) if key.endswith("_NETWORK") and value]


def _routes(host: Host, network: str) -> list[str]:
    shown = host.run([*_ip(network), "route", "show", "root", network], _TIMEOUT)
    return [line.strip() for line in shown.stdout.splitlines()]


def _ip(network: str) -> Sequence[str]:
    return ["ip", "-6" if ":" in network else "-4"]
