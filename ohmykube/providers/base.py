"""What a provider is. A third party adds one by the entry point group `ohmykube.providers`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, MachineSpec, Role, SshTarget, Status

__all__ = ["Machine", "MachineSpec", "Provider", "ProviderContext", "Role", "SshTarget", "Status"]


@dataclass(frozen=True)
class ProviderContext:
    """What a provider is given. It may write below `directory` alone (and its own corner of `home`).

    identity_file: the cluster's own ssh key pair exists there (`.pub` beside it) before `create` is called.
    known_hosts: the provider adds each machine's host key at its creation (ohmykube.ssh.pin_host_key).
    template: the machine image's name, or the path of the user's own template.
    fetch: path of a verified file of the catalogue: fetch(component, architecture), downloading it where allowed.
    look_up: raises what `fetch` would of a component that the catalogue does not have; downloads nothing.
    """

    cluster: str
    directory: Path
    home: Path
    identity_file: Path
    known_hosts: Path
    template: str = ""
    offline: bool = False
    reserved_networks: tuple[str, ...] = ()  # CIDRs that the cluster uses for pods and services
    fetch: Callable[[str, str], Path] | None = None
    look_up: Callable[[str, str], object] = lambda *_: None
    machine_image: Callable[[], Path | None] = lambda: None  # what `capture` filled, where it serves this cluster
    hosts: tuple[MachineSpec, ...] = ()  # static: the machines that exist
    ssh: Mapping[str, object] = field(default_factory=dict)  # static: user, port, identityFile


class Provider(Protocol):
    """The machines of one cluster. Constructed as `Provider(context)`; the constructor has no side effects.

    Every method is idempotent, bounded in time, and asks the world, not a record. `create`, `start`, `stop` and
    `delete` are called from several threads at once, each for another machine.
    """

    name: str
    boot_timeout: float  # seconds from power-on until ssh answers
    owns_machines: bool  # False: machines outlive the cluster (static), so `down` resets them instead

    @staticmethod
    def unusable() -> str:
        """Why this computer cannot use the provider, in half a sentence; empty where it can. Takes no time."""
        ...

    def preflight(self, machines: Sequence[MachineSpec]) -> list[OhmykubeError]:
        """Everything that would fail later and can be seen now, within seconds, without making anything."""
        ...

    def prefetch(self) -> None:
        """Bring to this computer, for all clusters, what `prepare` would download, so that it works offline later."""
        ...

    def prepare(self) -> None:
        """Make what all machines share: the network, the base image."""
        ...

    def create(self, machine: MachineSpec) -> None:
        """Make one machine; it need not run yet. One that exists with this name in this cluster is kept."""
        ...

    def start(self, name: str) -> None:
        """Power on; returns when it runs and its ssh target is known (sshd may still be booting)."""
        ...

    def stop(self, name: str) -> None:
        """Power off in order, by force after a limit; a stopped machine is fine."""
        ...

    def cut_power(self, name: str) -> None:
        """Power off at once, as when the plug is pulled; a stopped machine is fine."""
        ...

    def delete(self, name: str) -> None:
        """Remove one machine and verify that it is gone; a missing one is fine."""
        ...

    def capture(self, name: str, target: Path) -> None:
        """Fill the folder `target` with the disk of a running machine, without who it is, for `create` to begin with.

        The machine is of no use afterwards. A machine that goes on reading the folder has a link to it, or into it:
        `<directory>/machines/<name>/image`.
        """
        ...

    def machines(self) -> list[Machine]:
        """The machines of this cluster that exist now, by name order."""
        ...

    def clusters(self) -> list[str]:
        """All that have machines of this provider in this home, also those that nobody has a record of any more."""
        ...

    def cleanup(self) -> None:
        """Remove what `prepare` made for this cluster, after its last machine."""
        ...

    def variables(self, name: str) -> Mapping[str, object]:
        """Role variables that this kind of machine needs, for the inventory."""
        ...

    def address_pool(self) -> str:
        """A range for load balancers, `a.b.c.d-a.b.c.e`, free of machines and DHCP; empty where unknown."""
        ...

    def api_address(self) -> str:
        """An address for control planes to share, free of machines, DHCP and the pool; empty where unknown."""
        ...

    def reach(self, address: str, port: int) -> str:
        """`host:port` at which this computer reaches a port of an address in the machines' network.

        Whichever of them has the address. Where that takes a forward, it is made.
        """
        ...
