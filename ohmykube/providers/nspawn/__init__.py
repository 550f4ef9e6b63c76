"""Machines that are system containers (systemd-nspawn): real systemd, sshd and address, on one Linux computer.

For CI and tests: they share the computer's kernel, so they are no boundary against a hostile workload. Root only.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import Machine, MachineSpec, ProviderContext, SshTarget, Status
from ohmykube.providers.nspawn import cgroups, identity, image, kernel, kubernetes
from ohmykube.providers.nspawn.container import VOLUMES, Container, Place, command
from ohmykube.providers.nspawn.network import Network, remove_interface
from ohmykube.store import atomic

if TYPE_CHECKING:  # to see what machines there are, none of it is needed
    from ohmykube.providers.nspawn.rootfs import Base

_STOP_TIMEOUT = 45  # seconds for an orderly shutdown
_INTERFACE_TIMEOUT = 2  # seconds for the kernel to take down a network namespace, which somebody may hold


@dataclass(frozen=True)
class _Record:
    """machine.json: written last, so a machine that has it is whole. memory: bytes."""

    cpu: int
    memory: int
    address: str


class NspawnProvider:
    """Everything of a machine lies in `<directory>/machines/<name>/`; whether it runs is asked of the kernel."""

    name = "nspawn"
    owns_machines = True
    boot_timeout = 60.0

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._folder = context.directory.absolute() / "machines"
        self._network = Network(self._folder, reserved=context.reserved_networks, nat=not context.offline)

    @staticmethod
    def unusable() -> str:
        from ohmykube.providers.nspawn import checks

        return checks.unusable()

    def preflight(self, machines: Sequence[MachineSpec]) -> list[OhmykubeError]:
        from ohmykube.providers.nspawn import checks

        return checks.preflight(self._context, machines)

    def prefetch(self) -> None:
        self._base().ensure()

    def prepare(self) -> None:
        kernel.load()
        kernel.raise_limits()
        self._base().ensure()
        self._network.prepare()

    def create(self, machine: MachineSpec) -> None:
        folder = self._folder / machine.name
        if self._record(machine.name):
            return
        container = Container(folder)
        container.kill()
        shutil.rmtree(folder, ignore_errors=True)  # killed in the middle of its making
        for part in ("upper", "work", "root", *(f"volumes/{Path(volume).name}" for volume in VOLUMES)):
            (folder / part).mkdir(mode=0o755, parents=True)
        base = self._base().ensure()
        (folder / "base").symlink_to(base)
        prepared = self._context.machine_image()
        if prepared and image.fits(prepared, base):
            image.clone(prepared, folder)
        address = self._network.allocate(machine.name)
        plan = self._network.prepare()
        host_key = identity.write(
            folder / "upper",
            name=machine.name,
            authorized_key=self._context.identity_file.with_suffix(".pub").read_text(),
            nameservers=identity.nameservers(offline=self._context.offline, gateway=str(plan.gateway)),
        )
        ssh.pin_host_key(self._context.known_hosts, address, host_key)
        record = _Record(machine.cpu, machine.memory, address)
        atomic.write(folder / "machine.json", json.dumps(asdict(record)) + "\n")

    def start(self, name: str) -> None:
        record = self._record(name)
        if record is None:
            raise OhmykubeError(
                "nspawn.machine",
                f"machine {name} does not exist or was made only in part",
                hint="run `ohmykube up` again",
                context={"machine": name},
            )
        container = Container(self._folder / name)
        plan = self._network.prepare()
        if not container.leader():  # killed a moment ago, it may still have its end on the bridge
            remove_interface(container.interface, timeout=_INTERFACE_TIMEOUT)
        place = Place(
            bridge=self._network.bridge,
            address=f"{record.address}/{plan.subnet.prefixlen}",
            gateway=str(plan.gateway),
            second_address=f"{plan.second(record.address)}/{plan.second_subnet.prefixlen}",
            second_gateway=str(plan.second(plan.gateway)),
        )
        container.launch(command(container, name=name, place=place), cgroups.Limits(record.cpu, record.memory))

    def stop(self, name: str) -> None:
        Container(self._folder / name).stop(timeout=_STOP_TIMEOUT)

    def cut_power(self, name: str) -> None:
        """Its processes end at once; what they have written is kept by the computer's kernel, which has not died."""
        Container(self._folder / name).kill()

    def delete(self, name: str) -> None:
        folder = self._folder / name
        container = Container(folder)
        container.kill()
        remove_interface(container.interface, timeout=_INTERFACE_TIMEOUT)
        address = self._network.addresses().get(name, "")
        if address:
            ssh.forget_host_key(self._context.known_hosts, address)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise OhmykubeError(
                "nspawn.delete",
                f"machine {name} is not gone: {error.filename}: {error.strerror}",
                hint="see who uses it (`findmnt`, `lsof`), and run the same command again",
                context={"machine": name},
            ) from error
        self._network.release(name)

    def capture(self, name: str, target: Path) -> None:
        self.stop(name)
        image.capture(self._folder / name, target)

    def machines(self) -> list[Machine]:
        names = sorted(path.name for path in self._folder.iterdir() if path.is_dir()) if self._folder.is_dir() else []
        return [self._machine(name) for name in names]

    def clusters(self) -> list[str]:
        folders = self._context.home.glob("clusters/*/machines/*/")
        return sorted({folder.parent.parent.name for folder in folders})

    def cleanup(self) -> None:
        left = [machine.name for machine in self.machines()]
        if left:
            raise OhmykubeError(
                "nspawn.cleanup",
                f"machines are left: {', '.join(left)}",
                hint="run `ohmykube down` again",
                context={"machines": ", ".join(left)},
            )
        self._network.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def variables(self, name: str) -> Mapping[str, object]:
        record = self._record(name)
        limits = cgroups.Limits(record.cpu, record.memory) if record else None
        return kubernetes.variables(limits, legacy=cgroups.legacy(cgroups.hierarchies()))

    def address_pool(self) -> str:
        return self._network.address_pool()

    def api_address(self) -> str:
        return self._network.api_address()

    def reach(self, address: str, port: int) -> str:
        """This computer has an end on the machines' bridge."""
        return f"{address}:{port}"

    def _base(self) -> "Base":
        from ohmykube.providers.nspawn import checks
        from ohmykube.providers.nspawn.rootfs import Base

        return Base(
            self._context.home / "cache" / "rootfs",
            checks.distribution(self._context.template),
            offline=self._context.offline,
        )

    def _record(self, name: str) -> _Record | None:
        try:
            return _Record(**json.loads((self._folder / name / "machine.json").read_text()))
        except FileNotFoundError:
            return None

    def _machine(self, name: str) -> Machine:
        record, container = self._record(name), Container(self._folder / name)
        if record is None:
            return Machine(name, "broken", detail="made only in part")
        status: Status = "running" if container.leader() else "broken" if container.processes() else "stopped"
        detail = "its processes run without systemd-nspawn" if status == "broken" else ""
        target = SshTarget(record.address, "root", self._context.identity_file, self._context.known_hosts)
        return Machine(name, status, record.address, ssh=target, detail=detail)
