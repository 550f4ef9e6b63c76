"""Machines that exist: servers, boards, VMs of others. They are checked and reached, never made or switched off."""

import os
import socket
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import Machine, MachineSpec, ProviderContext, SshTarget

_PROBE_TIMEOUT = 15  # seconds for one look at one host
_START_TIMEOUT = 60  # seconds for a host that is just booting
_PARALLEL = 32  # hosts looked at together

# Names, one a line, what an ordinary host may lack. The host knows best who is root: uid 0 may have another name.
_REQUIREMENTS = """
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || echo no-python3
[ "$(id -u)" = 0 ] || {
  command -v sudo >/dev/null || { echo no-sudo; exit 0; }
  sudo -n true 2>/dev/null || echo sudo-asks
}
"""
# A node of some cluster, or containers of somebody's own: both would be lost.
_OCCUPIED = """
ls -d /var/lib/ohmykube /etc/kubernetes/kubelet.conf /etc/rancher/k3s /run/containerd/containerd.sock 2>/dev/null || :
"""
# What listens, as the kernel lists it; and which ports a node will want for itself.
_LISTENING = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || :"
_PORTS = {"control-plane": (6443, 2379, 2380, 10250, 10257, 10259), "worker": (10250,)}
_LISTEN = "0A"


class StaticProvider:
    """Hosts of the cluster file's `spec.hosts`, reached with the user's own key.

    A host belongs to the cluster while its key is pinned in the cluster's known_hosts: `create` pins the key that the
    host shows at the first contact, `delete` forgets it.
    """

    name = "static"
    owns_machines = False
    boot_timeout = 60.0  # they run already

    def __init__(self, context: ProviderContext) -> None:
        self._hosts = {host.name: host for host in context.hosts}
        self._known_hosts = context.known_hosts
        self._user = str(context.ssh["user"])
        self._port = int(str(context.ssh["port"]))
        self._identity_file = Path(str(context.ssh["identityFile"])).expanduser()

    @staticmethod
    def unusable() -> str:
        """Always usable: it needs ssh alone."""
        return ""

    def preflight(self, machines: Sequence[MachineSpec]) -> list[OhmykubeError]:
        """The addresses, the key, and then every host, all at once; nothing is pinned yet."""
        problems = [*_duplicates(machines), *self._key_problems()]
        if any(problem.code.startswith("static.key") for problem in problems):
            return problems  # every host would only repeat it
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for found in pool.map(self._host_problems, machines):
                problems += found
        return problems

    def prefetch(self) -> None:
        """Nothing is downloaded for machines that exist."""

    def prepare(self) -> None:
        """Nothing is shared between machines that exist."""

    def create(self, machine: MachineSpec) -> None:
        """Take the host into the cluster: pin its key on the first contact, and see that it can be worked with.

        Raises `ssh.unreachable`, or `static.host.*` with what the host lacks.
        """
        if not self._pinned(machine.address):
            self._pin(machine, self._known_hosts)
        problems = self._lacks(machine, self._known_hosts)
        if problems:
            raise problems[0]

    def start(self, name: str) -> None:
        """Nobody's to switch on but the user's: wait a little for a host that is booting."""
        ssh.wait(self._target(self._hosts[name], self._known_hosts), timeout=_START_TIMEOUT)

    def stop(self, name: str) -> None:
        """Refused: what cannot be switched on again from here is not switched off from here."""
        raise OhmykubeError(
            "static.stop",
            f"{name} is a machine of your own; ohmykube does not switch it off",
            hint="`ohmykube down` removes Kubernetes from it and leaves it running",
            context={"machine": name},
        )

    def cut_power(self, name: str) -> None:
        """Refused as `stop` is: what is off could not be switched on again from here."""
        raise OhmykubeError(
            "static.power",
            f"{name} is a machine of your own; ohmykube has no switch for its power",
            hint="`ohmykube chaos partition` cuts it off from the other nodes",
            context={"machine": name},
        )

    def delete(self, name: str) -> None:
        """Let the host go: its key is forgotten, and nothing else of ours is left on this side."""
        host = self._hosts.get(name)
        if host is not None:
            ssh.forget_host_key(self._known_hosts, host.address)

    def capture(self, name: str, target: Path) -> None:
        raise OhmykubeError("static.capture", f"{name} exists already: nothing is made from its disk")

    def machines(self) -> list[Machine]:
        """The hosts taken into the cluster, each looked at now."""
        taken = [host for _, host in sorted(self._hosts.items()) if self._pinned(host.address)]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return list(pool.map(self._look, taken))

    def clusters(self) -> list[str]:
        """Nobody's machines are left when a cluster is no more."""
        return []

    def cleanup(self) -> None:
        """`prepare` made nothing."""

    def variables(self, name: str) -> Mapping[str, object]:
        """Ordinary machines need nothing special."""
        return {}

    def address_pool(self) -> str:
        """Unknown: the network is the user's, and only they know what is free in it."""
        return ""

    def api_address(self) -> str:
        """As unknown as the pool."""
        return ""

    def reach(self, address: str, port: int) -> str:
        return f"{address}:{port}"

    def _look(self, host: MachineSpec) -> Machine:
        target = self._target(host, self._known_hosts)
        try:
            ssh.run(target, ["true"], timeout=_PROBE_TIMEOUT)
        except OhmykubeError as error:
            return Machine(host.name, "broken", host.address, ssh=target, detail=error.message)
        return Machine(host.name, "running", host.address, ssh=target)

    def _host_problems(self, host: MachineSpec) -> list[OhmykubeError]:
        """The first thing that is in the way of reaching a host, or all that it lacks once reached."""
        try:
            _connect(host, self._port)
            if self._pinned(host.address):
                return self._lacks(host, self._known_hosts)
            with tempfile.TemporaryDirectory() as folder:
                seen = Path(folder) / "known_hosts"
                self._pin(host, seen)
                # Whoever is a node has its ports too.
                return self._lacks(host, seen) + (self._occupied(host, seen) or self._taken_ports(host, seen))
        except OhmykubeError as error:
            return [error]

    def _lacks(self, host: MachineSpec, known_hosts: Path) -> list[OhmykubeError]:
        target = self._target(host, known_hosts)
        missing = ssh.run(target, ["sh", "-c", _REQUIREMENTS], timeout=_PROBE_TIMEOUT).split()
        return [self._lacking(host, requirement) for requirement in missing]

    def _occupied(self, host: MachineSpec, known_hosts: Path) -> list[OhmykubeError]:
        found = ssh.run(self._target(host, known_hosts), ["sh", "-c", _OCCUPIED], timeout=_PROBE_TIMEOUT).split()
        if not found:
            return []
        return [
            OhmykubeError(
                "static.host.occupied",
                f"{host.name} ({host.address}) is a node already, or runs containers of its own: it has {found[0]}",
                hint="give it back with `ohmykube down --name NAME`, or the playbook ohmykube.cluster.reset;"
                " take away by hand what ohmykube has not installed",
                context={"machine": host.name, "address": host.address, "found": " ".join(found)},
            )
        ]

    def _taken_ports(self, host: MachineSpec, known_hosts: Path) -> list[OhmykubeError]:
        said = ssh.run(self._target(host, known_hosts), ["sh", "-c", _LISTENING], timeout=_PROBE_TIMEOUT)
        return [
            OhmykubeError(
                "static.port.used",
                f"port {port} of {host.name} ({host.address}) is in use, and Kubernetes needs it",
                hint=f"`sudo ss -ltnp 'sport = {port}'` shows there by what: end it, or take another host",
                context={"machine": host.name, "address": host.address, "port": port},
            )
            for port in _PORTS[host.role]
            if port in _ports(said)
        ]

    def _lacking(self, host: MachineSpec, requirement: str) -> OhmykubeError:
        where = f"{host.name} ({host.address})"
        message, hint = {
            "no-python3": (
                f"{where} has no python3 of version 3.10 or newer",
                "install it there: `apt-get install python3`",
            ),
            "no-sudo": (
                f"{where} has no sudo, and {self._user} is not root",
                "install it there, or set `spec.ssh.user: root`",
            ),
            "sudo-asks": (
                f"sudo on {where} asks {self._user} for a password",
                f"allow it there: `echo '{self._user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{self._user}`",
            ),
        }[requirement]
        context = {"machine": host.name, "address": host.address}
        return OhmykubeError(f"static.host.{requirement}", message, hint=hint, context=context)

    def _key_problems(self) -> list[OhmykubeError]:
        """ssh itself would only say `Permission denied` to each of these."""
        path = self._identity_file
        context = {"path": path}
        try:
            mode = path.stat().st_mode & 0o777
            readable = path.is_file() and os.access(path, os.R_OK)
        except OSError as error:
            reason = error.strerror or str(error)
            return [_key_error("static.key.missing", f"the ssh key {path} cannot be read: {reason}", context)]
        if not readable:
            return [_key_error("static.key.unreadable", f"the ssh key {path} is no file that you can read", context)]
        if mode & 0o077:
            message = f"the ssh key {path} has mode {mode:04o}; ssh refuses a key that others can read"
            return [OhmykubeError("static.key.mode", message, hint=f"chmod 600 {path}", context=context)]
        return []

    def _target(self, host: MachineSpec, known_hosts: Path) -> SshTarget:
        return SshTarget(host.address, self._user, self._identity_file, known_hosts, self._port)

    def _pin(self, host: MachineSpec, known_hosts: Path) -> None:
        ssh.pin_host_key(known_hosts, host.address, ssh.scan_host_key(host.address, self._port))

    def _pinned(self, address: str) -> bool:
        if not self._known_hosts.exists():
            return False
        return any(line.split(" ", 1)[0] == address for line in self._known_hosts.read_text().splitlines())


def _ports(listing: str) -> set[int]:
    """Those that somebody listens on, in the kernel's table of connections."""
    rows = [line.split() for line in listing.splitlines()]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTEN}


def _duplicates(machines: Sequence[MachineSpec]) -> list[OhmykubeError]:
    """One machine cannot be two nodes."""
    return [
        OhmykubeError(
            "static.address.duplicate",
            f"{address} is the address of {' and '.join(m.name for m in machines if m.address == address)}",
            hint="give every entry of spec.hosts an address of its own",
            context={"address": address},
            exit_code=2,
        )
        for address, count in Counter(machine.address for machine in machines).items()
        if count > 1
    ]


def _key_error(code: str, message: str, context: Mapping[str, object]) -> OhmykubeError:
    hint = "set `spec.ssh.identityFile`, or make one: `ssh-keygen -t ed25519`"
    return OhmykubeError(code, message, hint=hint, context=context)


def _connect(host: MachineSpec, port: int) -> None:
    """Tell an unknown name, a closed port and silence apart; ssh-keyscan says the same nothing to all three."""
    context = {"machine": host.name, "address": host.address, "port": port}
    try:
        socket.create_connection((host.address, port), timeout=ssh.CONNECT_TIMEOUT).close()
    except socket.gaierror as error:
        message = f"{host.name}: the name {host.address} is unknown: {error.strerror}"
        hint = "correct its address in spec.hosts"
        raise OhmykubeError("static.host.unknown", message, hint=hint, context=context) from error
    except OSError as error:
        words = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        message = f"{host.name}: {host.address} port {port} cannot be reached: {words}"
        hint = "is it on, and does sshd listen there? The port is `spec.ssh.port`"
        raise OhmykubeError("static.host.unreachable", message, hint=hint, context=context) from error
