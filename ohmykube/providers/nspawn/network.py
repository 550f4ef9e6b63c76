"""One bridge per cluster, with a network that nobody else on this computer uses, and a lasting address per machine."""

import ipaddress
import json
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from ohmykube.errors import OhmykubeError
from ohmykube.providers.nspawn import firewall
from ohmykube.providers.nspawn.commands import run, succeeds
from ohmykube.providers.nspawn.names import unique
from ohmykube.store import atomic

_CANDIDATES = ("10.74.0.0/16", "172.28.0.0/16", "192.168.0.0/16")  # searched in this order, by /24
_MACHINES = range(2, 200)  # last part of a machine's address; .1 is the computer
_POOL = (200, 250)  # for load balancers
_API = 254  # for control planes to share
_SITE = int(IPv6Address("fd6f:6d6b::"))  # what all IPv6 addresses of machines begin with
_LOCK = "\0ohmykube-nspawn-network"
_LOCK_TIMEOUT = 30  # seconds; it is held for a few commands
_POLL = 0.02  # seconds


@dataclass(frozen=True)
class Plan:
    """What network.json says: the network and who has which address; it outlives a restart of the computer."""

    subnet: IPv4Network
    addresses: dict[str, str]

    @property
    def gateway(self) -> IPv4Address:
        return self.subnet[1]

    @property
    def second_subnet(self) -> IPv6Network:
        """Of addresses that are local to a site (RFC 4193): no other cluster has it, as none has the first."""
        return IPv6Network((_SITE | int(self.subnet.network_address) >> 8 << 64, 64))

    def second(self, address: IPv4Address | str) -> IPv6Address:
        """The IPv6 address that goes with one of the subnet's."""
        return self.second_subnet[int(IPv4Address(address)) - int(self.subnet.network_address)]


class Network:
    """The network of one cluster. directory: `machines` of the cluster; reserved: CIDRs of pods and services."""

    def __init__(self, directory: Path, *, reserved: Sequence[str], nat: bool) -> None:
        self._file = directory / "network.json"
        self._reserved = reserved
        self._nat = nat
        self.bridge = unique(directory)

    def plan(self) -> Plan | None:
        """None before `prepare`."""
        try:
            data: dict[str, Any] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        return Plan(IPv4Network(data["subnet"]), data["addresses"])

    def prepare(self) -> Plan:
        """Choose a network once, and make the bridge and its way out where they are missing."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _exclusive():
            plan = self.plan() or self._save(Plan(self._choose(), {}))
            self._make_bridge(plan)
            if self._nat:
                firewall.open_way_out(self.bridge, plan.subnet)
            firewall.let_through(self.bridge)
            return plan

    def allocate(self, name: str) -> str:
        """The machine's address: the one it has, or a free one."""
        with _exclusive():
            plan = self.plan()
            if plan is None:
                raise OhmykubeError("nspawn.network", f"{self._file} is missing", hint="run `ohmykube up` again")
            if name not in plan.addresses:
                used = set(plan.addresses.values())
                free = next((str(plan.subnet[n]) for n in _MACHINES if str(plan.subnet[n]) not in used), "")
                if not free:
                    raise OhmykubeError(
                        "nspawn.network",
                        f"the network {plan.subnet} has no address left",
                        hint=f"a cluster here has at most {len(_MACHINES)} machines",
                    )
                plan = self._save(Plan(plan.subnet, {**plan.addresses, name: free}))
            return plan.addresses[name]

    def addresses(self) -> dict[str, str]:
        """By machine."""
        plan = self.plan()
        return plan.addresses if plan else {}

    def release(self, name: str) -> None:
        with _exclusive():
            plan = self.plan()
            if plan and name in plan.addresses:
                self._save(Plan(plan.subnet, {who: at for who, at in plan.addresses.items() if who != name}))

    def remove(self) -> None:
        """Take away the bridge, the firewall's rules and the record."""
        with _exclusive():
            firewall.close_way_out(self.bridge)
            firewall.forget(self.bridge)
            if _exists(self.bridge):
                run(["ip", "link", "delete", self.bridge])
            self._file.unlink(missing_ok=True)

    def address_pool(self) -> str:
        plan = self.plan()
        if plan is None:
            return ""
        first, last = (plan.subnet[number] for number in _POOL)
        return f"{first}-{last},{plan.second(first)}-{plan.second(last)}"

    def api_address(self) -> str:
        plan = self.plan()
        return "" if plan is None else str(plan.subnet[_API])

    def _choose(self) -> IPv4Network:
        others = [file.read_text() for file in self._file.parent.parent.parent.glob("*/machines/network.json")]
        taken = [
            *_routed(json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]))),
            *(IPv4Network(json.loads(other)["subnet"]) for other in others),
            *(IPv4Network(cidr) for cidr in self._reserved if ":" not in cidr),
        ]
        return choose(taken)

    def _make_bridge(self, plan: Plan) -> None:
        """Also on one that was made only in part."""
        if not _exists(self.bridge):
            run(["ip", "link", "add", self.bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"])
        # An address of its own: else the bridge's changes with each machine, and neighbours remember the old one.
        digits = self.bridge.removeprefix("omk-")
        mac = ":".join(["02", "4f", *(digits[at : at + 2] for at in range(0, 8, 2))])
        run(["ip", "link", "set", self.bridge, "address", mac])
        run(["ip", "address", "replace", f"{plan.gateway}/{plan.subnet.prefixlen}", "dev", self.bridge])
        if _has_ipv6():
            second = f"{plan.second(plan.gateway)}/{plan.second_subnet.prefixlen}"
            run(["ip", "address", "replace", second, "dev", self.bridge, "nodad"])
        run(["ip", "link", "set", self.bridge, "up"])

    def _save(self, plan: Plan) -> Plan:
        data = {"subnet": str(plan.subnet), "addresses": plan.addresses}
        atomic.write(self._file, json.dumps(data, indent=1) + "\n")
        return plan


def choose(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first /24 that overlaps none of the taken ones."""
    used = list(taken)
    for candidates in _CANDIDATES:
        for candidate in IPv4Network(candidates).subnets(new_prefix=24):
            if not any(candidate.overlaps(network) for network in used):
                return candidate
    raise OhmykubeError(
        "nspawn.network",
        f"every network in {', '.join(_CANDIDATES)} is routed or reserved on this computer",
        hint="`ip route show table all` lists them; free a /24 in one of these ranges",
    )


def remove_interface(interface: str, *, timeout: float) -> None:
    """Wait for the machine's end on the bridge to vanish with its network namespace; after `timeout` take it away."""
    deadline = time.monotonic() + timeout
    while _exists(interface):
        if time.monotonic() > deadline:
            succeeds(["ip", "link", "delete", interface])
            return
        time.sleep(_POLL)


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


def _exists(interface: str) -> bool:
    """Asked of our own network namespace; what /sys shows may be another's."""
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True


def _routed(routes: list[dict[str, Any]]) -> list[IPv4Network]:
    return [
        ipaddress.IPv4Network(route["dst"], strict=False)
        for route in routes
        if route["dst"] not in ("default", "0.0.0.0/0")
    ]


@contextmanager
def _exclusive() -> Iterator[None]:
    """One at a time in this network namespace, whatever the home: the kernel lets one process bind a name.

    It drops the name when its holder dies. Raises OhmykubeError `nspawn.network` after a time.
    """
    deadline = time.monotonic() + _LOCK_TIMEOUT
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        while True:
            try:
                lock.bind(_LOCK)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise OhmykubeError(
                        "nspawn.network",
                        f"another process has been changing networks for {_LOCK_TIMEOUT} s",
                        hint="`ss -xlp` shows who holds ohmykube-nspawn-network",
                    ) from error
                time.sleep(_POLL)
        yield
