"""The network that the machines of one cluster share: user-v2, a switch, gateway, DNS and DHCP in one process of the
user's. It needs no root and is the only one that joins machines on every system."""

import hashlib
import http.client
import json
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path
from typing import Any

from ohmykube.errors import OhmykubeError
from ohmykube.providers.lima import ports, processes
from ohmykube.providers.lima.limactl import Limactl
from ohmykube.store import atomic

_API_TIMEOUT = 5.0  # seconds for one answer of the daemon
_END_TIMEOUT = 5.0  # seconds that the daemon has to end
_ZONE = "internal."  # where Lima registers `lima-<instance>`

# DHCP hands out the lowest free address and keeps it for the machine's MAC, so this range is reached only by a
# cluster's 198th machine.
_POOL = (200, 250)
_API = 254  # for control planes to share


def network_name(cluster: str) -> str:
    """Short, because socket paths must be; and never the beginning of another cluster's."""
    return f"omk-{hashlib.sha256(cluster.encode()).hexdigest()[:8]}"


class Network:
    def __init__(self, limactl: Limactl, cluster: str) -> None:
        self._limactl = limactl
        self.name = network_name(cluster)
        self.directory = limactl.home / "_networks" / self.name

    def create(self, reserved: Sequence[str]) -> None:
        """Make it, once, on a subnet that nothing here uses. Hold the network lock: Lima rewrites a shared file."""
        networks = self._limactl.networks()
        if self.name in networks:
            return
        taken = [*map(IPv4Network, _ipv4(reserved)), *host_routes()]
        taken += [subnet for subnet in map(_subnet, networks.values()) if subnet]
        gateway = free_subnet(taken)[1]
        self._limactl.run("network", "create", self.name, f"--gateway={gateway}/24")

    def delete(self) -> None:
        """Remove it and its daemon. Hold the network lock."""
        processes.end(self._pid_file, timeout=_END_TIMEOUT)
        if self.name in self._limactl.networks():
            self._limactl.run("network", "delete", "--force", self.name)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.directory)

    def addresses(self) -> dict[str, str]:
        """The machines' addresses by Lima's host name for them, as the daemon resolves them now."""
        zones = self._ask("/services/dns/all") or []
        found: dict[str, str] = {}
        for zone in zones:
            if zone["Name"] == _ZONE:
                for record in zone["Records"] or []:
                    found.setdefault(record["Name"], record["IP"])  # the newest comes first
        return found

    def keep_leases(self) -> None:
        """Write down who has which address, as the daemon itself does when it ends in order: after a crash or a
        reboot the machines then get the addresses that their certificates and etcd know."""
        leases = self._ask("/services/dhcp/leases")
        if leases:
            atomic.write(self.directory / "leases.json", json.dumps(leases))

    def pool(self) -> str:
        """Addresses for load balancers; empty while there is no network."""
        subnet = _subnet(self._limactl.networks().get(self.name, {}))
        return f"{subnet[_POOL[0]]}-{subnet[_POOL[1]]}" if subnet else ""

    def api_address(self) -> str:
        """For control planes to share; empty while there is no network."""
        subnet = _subnet(self._limactl.networks().get(self.name, {}))
        return str(subnet[_API]) if subnet else ""

    def forward(self, address: str, port: int, used: Collection[int]) -> int:
        """The port of this computer that leads there: the one that does so already, or a new one, none of `used`."""
        remote = f"{address}:{port}"
        for forward in self._ask("/services/forwarder/all") or []:
            if forward["remote"] == remote:
                return int(forward["local"].rpartition(":")[2])
        local = ports.free_port(f"{self.name}:{remote}", used)
        wish = {"local": f"127.0.0.1:{local}", "remote": remote, "protocol": "tcp"}
        status, said = self._speak("POST", "/services/forwarder/expose", json.dumps(wish))
        if status != http.client.OK:
            words = said.decode(errors="replace").strip()  # none where it does not run
            raise OhmykubeError(
                "lima.forward",
                f"the network {self.name} does not lead 127.0.0.1:{local} to {remote}"
                + (f": {words}" if words else ""),
                hint="`ohmykube start` starts the network with its machines",
            )
        return local

    @property
    def _pid_file(self) -> Path:
        return self.directory / f"usernet_{self.name}.pid"

    def _ask(self, path: str) -> Any:
        """An answer of the daemon's API; None where it does not run."""
        try:
            return json.loads(self._speak("GET", path)[1])
        except ValueError:
            return None

    def _speak(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Status and body of the daemon's answer; 0 where it does not run."""
        connection = _UnixConnection(self.directory / f"{self.name}_ep.sock")
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


def longest_socket(lima_home: Path, cluster: str) -> Path:
    name = network_name(cluster)
    return lima_home / "_networks" / name / f"{name}_qemu.sock"


def free_subnet(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first /24 that overlaps nothing: what overlaps the host's networks hides them from the machines."""
    busy = [subnet for subnet in taken if subnet.prefixlen]  # the default route is no network
    for candidate in _candidates():
        if not any(candidate.overlaps(subnet) for subnet in busy):
            return candidate
    raise OhmykubeError(
        "lima.no-subnet",
        "no private subnet is free for the machines: this computer has a route to every one of them",
        hint="leave the VPN that claims them, or remove clusters that are not needed",
    )


def host_routes() -> list[IPv4Network]:
    """The networks that this computer has routes to."""
    if sys.platform == "darwin":
        listing = subprocess.run(["netstat", "-rnf", "inet"], capture_output=True, text=True, timeout=10, check=False)
        return bsd_routes(listing.stdout)
    with suppress(OSError):
        return linux_routes(Path("/proc/net/route").read_text())
    return []


def linux_routes(table: str) -> list[IPv4Network]:
    """/proc/net/route: addresses are little-endian hexadecimal numbers."""

    def address(field: str) -> IPv4Address:
        return IPv4Address(struct.pack("<L", int(field, 16)))

    rows = [line.split() for line in table.splitlines()[1:]]
    return [IPv4Network(f"{address(row[1])}/{address(row[7])}") for row in rows]


def bsd_routes(table: str) -> list[IPv4Network]:
    """netstat leaves trailing zeros out, and the mask where it follows from what is written."""
    found = []
    for line in table.splitlines():
        destination = line.split()[0] if line else ""
        address, _, bits = destination.partition("/")
        octets = address.split(".")
        if all(octet.isdigit() for octet in octets):
            full = ".".join([*octets, "0", "0", "0"][:4])
            found.append(IPv4Network(f"{full}/{bits or 8 * len(octets)}", strict=False))
    return found


def _candidates() -> Iterator[IPv4Network]:
    for third in range(107, 255):  # Lima's own defaults end at 106
        yield IPv4Network(f"192.168.{third}.0/24")
    for third in range(256):
        yield IPv4Network(f"10.177.{third}.0/24")


def _ipv4(networks: Sequence[str]) -> list[str]:
    return [network for network in networks if ip_network(network).version == 4]


def _subnet(network: dict[str, Any]) -> IPv4Network | None:
    if not network.get("gateway"):
        return None
    return IPv4Network(f"{network['gateway']}/{network['netmask']}", strict=False)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("lima", timeout=_API_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_API_TIMEOUT)
        self.sock.connect(str(self._path))
