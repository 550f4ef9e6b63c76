"""Machines: as wished, as seen, and which ones a cluster takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # it takes as long to import as all of a verb that only looks
    from ohmykube.model.spec import Cluster, Group

Role = Literal["control-plane", "worker"]
Status = Literal["running", "stopped", "broken"]


@dataclass(frozen=True)
class MachineSpec:
    """A machine as wished. `name` is its host name and the Kubernetes node name. Sizes in bytes."""

    name: str
    role: Role
    group: str
    cpu: int
    memory: int
    disk: int
    disks: tuple[int, ...] = ()
    address: str = ""  # set only where the user names it (static)


@dataclass(frozen=True)
class SshTarget:
    """How to reach a machine. `known_hosts` pins its host key; nothing else is trusted.

    sockets: the folder where ssh's masters are reached, for those who may share a connection.
    """

    host: str
    user: str
    identity_file: Path
    known_hosts: Path
    port: int = 22
    host_key_alias: str = ""  # the name under which known_hosts has the key; empty: the host
    sockets: Path | None = None


@dataclass(frozen=True)
class Machine:
    """A machine as seen.

    address: what other machines of the cluster reach it at; empty while unknown.
    api: `host:port` at which this computer reaches the machine's port 6443; empty: at its address.
    """

    name: str
    status: Status
    address: str = ""
    api: str = ""
    ssh: SshTarget | None = None
    detail: str = ""  # the provider's own words on a broken machine


def wanted(cluster: "Cluster") -> tuple[MachineSpec, ...]:
    """Every machine of the cluster, control plane first. Names are stable: counting up adds, counting down removes."""
    spec = cluster.spec
    if spec.provider == "static":
        ordered = sorted(spec.hosts, key=lambda host: host.role != "control-plane")
        return tuple(
            MachineSpec(
                name=host.name,
                role=host.role,
                group="control-plane" if host.role == "control-plane" else "worker",
                cpu=0,
                memory=0,
                disk=0,
                address=host.address,
            )
            for host in ordered
        )
    planes = _group(cluster.name, spec.control_plane, "control-plane", "control-plane")
    workers = [machine for group in spec.workers for machine in _group(cluster.name, group, group.name, "worker")]
    return (*planes, *workers)


def _group(cluster: str, group: "Group", name: str, role: Role) -> list[MachineSpec]:
    return [
        MachineSpec(
            name=f"{cluster}-{name}-{number}",
            role=role,
            group=name,
            cpu=group.cpu,
            memory=group.memory,
            disk=group.disk,
            disks=tuple(disk.size for disk in group.disks),
        )
        for number in group.numbers
    ]
