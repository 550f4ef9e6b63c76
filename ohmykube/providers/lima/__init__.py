"""Virtual machines by Lima: QEMU on Linux, Virtualization.framework on a Mac; no root, no daemon of the system."""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.model.names import names_file
from ohmykube.providers.base import Machine, MachineSpec, ProviderContext, SshTarget
from ohmykube.providers.lima import describe, host, image, locks, ports, problems, processes, template, tool
from ohmykube.providers.lima.limactl import Instance, Job, Limactl, at_least
from ohmykube.providers.lima.network import Network, longest_socket
from ohmykube.providers.lima.power import Power

__all__ = ["LimaProvider"]

_CREATE_TIMEOUT = 900.0  # seconds: a download of an image by the user's own template is part of it
_BEGIN_TIMEOUT = 60.0  # seconds until an instance that is created has its template in place
_DELETE_TIMEOUT = 120.0  # seconds
_POLL = 0.1  # seconds

# Its first boot gives networks other names than it waits for, for two minutes (LP: #2136392). Lima before 2.2 knows no
# cure, and refuses the word for it.
_LATE_NETWORK = "ubuntu-26.04"

_CREATED = "ohmykube.created"  # in an instance's folder, once limactl said that its disk is whole


class LimaProvider:
    """A cluster's machines are the instances of our LIMA_HOME whose template carries the cluster's name.

    Lima stops every network that no *running* instance uses whenever it starts, stops or deletes anything; so whatever
    does that takes one lock for the LIMA_HOME, and a start keeps it until its machine counts as running.
    """

    name = "lima"
    owns_machines = True
    boot_timeout = 300.0  # without a hypervisor a machine takes its time

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._home = context.home.resolve() / "lima"  # as Lima's processes will have it in their command lines
        self._lock, self._create_lock = self._home / ".network.lock", self._home / ".create.lock"
        template_file = Path(context.template).expanduser().absolute()
        self._user_template = template_file if names_file(context.template) else None

    @staticmethod
    def unusable() -> str:
        """limactl itself may be missing: it is fetched."""
        return host.unusable()

    def preflight(self, machines: Sequence[MachineSpec]) -> list[OhmykubeError]:
        """This computer, limactl, the template, names that another cluster has, paths, memory and disk space."""
        reason = host.unusable()
        if reason:
            hint = "or take another provider: `--provider static`, on Linux as root `--provider nspawn`"
            return [OhmykubeError("lima.unusable", f"Lima cannot be used here: {reason}", hint=hint)]
        found = self._files_missing()
        instances = self._limactl.instances() if tool.find(self._context.home) else []
        names = {machine.name for machine in machines}
        found += [problems.taken(known) for known in instances if known.name in names and not self._owns(known)]
        longest = [self._home / name / host.LONGEST_SOCKET for name in names]
        found += host.socket_problems([*longest, longest_socket(self._home, self._context.cluster)])
        return found + host.preflight(machines, {known.name for known in instances}, self._context.home)

    def prefetch(self) -> None:
        tool.require(self._context.home, self._context.fetch)
        self._image()

    def prepare(self) -> None:
        """limactl, the image, Lima's own key (of several first creates each would make it) and the network."""
        config = self._home / "_config"
        for folder in (self._home, config):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._image()
        with locks.hold(self._lock):
            ssh.generate_key(config / "user", "lima")
            self._network.create(self._context.reserved_networks)

    def create(self, machine: MachineSpec) -> None:
        """Make the instance and its disks. Raises `lima.name-taken`, or `lima.failed` after removing what it began."""
        directory = self._home / machine.name
        with locks.hold(self._create_lock):  # until the template is there: it shows which port is taken
            for found in self._limactl.instances(machine.name):
                if not self._owns(found):
                    raise problems.taken(found)
                if (directory / _CREATED).exists():
                    ssh.pin_host_key(self._context.known_hosts, machine.name, found.host_key)
                    return
            self.delete(machine.name)  # what a create that died has left
            job = self._begin(machine)
            deadline = time.monotonic() + _BEGIN_TIMEOUT
            while not (job.ended() or (directory / "lima.yaml").exists() or time.monotonic() > deadline):
                time.sleep(_POLL)
        try:
            job.wait(_CREATE_TIMEOUT)
        except OhmykubeError:
            self.delete(machine.name)
            raise
        (directory / _CREATED).touch()

    def start(self, name: str) -> None:
        """Power on and wait for the boot: only then is its host key the pinned one."""
        self._power.start(self._get(name))
        self._network.keep_leases()

    def stop(self, name: str) -> None:
        self._power.stop(self._get(name))

    def cut_power(self, name: str) -> None:
        self._power.cut(self._get(name))

    def delete(self, name: str) -> None:
        """Remove the instance and its disks, and see that they are gone; another cluster's is not ours to see."""
        if not self._home.is_dir():
            return
        directory = self._home / name
        with locks.hold(self._lock):
            for found in self._limactl.instances(name):
                if found.owner and not self._owns(found):
                    return
                if not found.owner:
                    raise problems.unowned(found)
                processes.clear_stale(directory)  # limactl kills whatever the pid files name
                self._limactl.run("delete", "--force", name, timeout=_DELETE_TIMEOUT)
                if directory.exists():
                    raise problems.left(name, directory)
            if directory.exists():  # a create died so early that Lima does not take it for an instance
                shutil.rmtree(directory)
            self._delete_disks(self._disk_prefix(name))
        ssh.forget_host_key(self._context.known_hosts, name)

    def capture(self, name: str, target: Path) -> None:
        instance = self._get(name)
        image.seal(self._target(instance))
        self.stop(name)
        image.copy(self._home / name, target)

    def machines(self) -> list[Machine]:
        """Ours alone, by the label in their templates."""
        if not self._home.is_dir():
            return []
        addresses = self._network.addresses()
        return [describe.machine(found, self._context, addresses) for found in self._own()]

    def clusters(self) -> list[str]:
        return sorted({found.owner for found in self._limactl.instances()} - {""}) if self._home.is_dir() else []

    def cleanup(self) -> None:
        """The network and its daemon, and what creates that died early have left: no machine tells of it."""
        if not self._home.is_dir():
            return
        with locks.hold(self._create_lock), locks.hold(self._lock):
            for directory in self._home.glob("[!._]*"):
                if directory.is_dir() and not (directory / "lima.yaml").exists():
                    shutil.rmtree(directory)
            self._delete_disks(f"{self._network.name}.")
            self._network.delete()

    def variables(self, name: str) -> Mapping[str, object]:
        """This computer reaches the API server through a forwarded port, so its certificate names 127.0.0.1."""
        configuration = {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "apiServer": {"certSANs": ["127.0.0.1"]},
        }
        return {"kubeadm_provider_config": [configuration]}

    def address_pool(self) -> str:
        """The end of the cluster's own subnet, which DHCP does not reach."""
        return self._network.pool() if self._home.is_dir() else ""

    def api_address(self) -> str:
        return self._network.api_address() if self._home.is_dir() else ""

    def reach(self, address: str, port: int) -> str:
        """A port of this computer that the network's daemon leads there, for as long as that runs."""
        used = {found.api_port for found in self._limactl.instances()}
        return f"127.0.0.1:{self._network.forward(address, port, used)}"

    @cached_property
    def _limactl(self) -> Limactl:
        return Limactl(tool.require(self._context.home, self._context.fetch), self._home)

    @cached_property
    def _network(self) -> Network:
        return Network(self._limactl, self._context.cluster)

    @cached_property
    def _power(self) -> Power:
        return Power(self._limactl, self._network, self._lock, self._context.directory / "lima-logs", self._target)

    def _files_missing(self) -> list[OhmykubeError]:
        """What is to be fetched and cannot be, as far as this can be told without fetching it."""
        if self._user_template and (words := template.problem(self._user_template)):
            message = f"the template {self._user_template} {words}"
            hint = "correct it, or spec.template; docs/lima.md shows one"
            return [OhmykubeError("lima.template", message, hint=hint, exit_code=2)]
        found: list[OhmykubeError] = []
        online = self._context.fetch is not None and not self._context.offline
        try:
            (self._look_up if online else self._image)()
        except OhmykubeError as error:
            found.append(error)
        if online:
            return found
        try:
            if not tool.find(self._context.home):
                tool.release(self._context.fetch)
        except OhmykubeError as error:
            found.append(error)
        return found

    def _begin(self, machine: MachineSpec) -> Job:
        """Make the disks, pin a host key that only this machine will have, and spawn the create."""
        prefix = self._disk_prefix(machine.name)
        disks = {f"{prefix}{number}": size for number, size in enumerate(machine.disks, 1)}
        for disk, size in disks.items():
            self._limactl.run("disk", "create", disk, f"--size={size}")
        with tempfile.TemporaryDirectory(dir=self._context.directory) as folder:
            key = Path(folder) / "host_key"
            ssh.generate_key(key, machine.name)
            host_key, public_key = key.read_text(), key.with_suffix(".pub").read_text()
        ssh.pin_host_key(self._context.known_hosts, machine.name, public_key)
        recipe = template.Recipe(
            cluster=self._context.cluster,
            arch=host.architecture()[1],
            network=self._network.name,
            authorized_key=self._context.identity_file.with_suffix(".pub").read_text(),
            host_key=host_key,
            host_public_key=" ".join(public_key.split()[:2]),
            image=self._image(),
            base=self._user_template,
            disks=tuple(disks),
            api_port=self._api_port(machine),
            vz=host.is_mac(),
            late_network=self._context.template == _LATE_NETWORK and at_least(self._limactl.executable, (2, 2)),
        )
        text = template.render(machine, recipe)
        return self._limactl.spawn(["create", f"--name={machine.name}", "-"], stdin=text, secrets=host_key.splitlines())

    def _api_port(self, machine: MachineSpec) -> int:
        """The port of this computer that will lead to its API server; 0 for a worker."""
        if machine.role != "control-plane":
            return 0
        return ports.free_port(machine.name, {found.api_port for found in self._limactl.instances()})

    def _image(self) -> Path | None:
        """A prepared disk image, else the verified one; none where the user's template names its own."""
        prepared = self._context.machine_image()
        if prepared:
            return prepared / image.DISK
        if self._user_template:
            return None
        if self._context.fetch is None:
            message = f"the image {self._context.template} cannot be had: there is no catalogue"
            raise OhmykubeError("lima.image", message, hint="name a template of your own: `spec.template: ./my.yaml`")
        return self._context.fetch(self._context.template, host.architecture()[0]).resolve()

    def _look_up(self) -> None:
        """Raises `catalogue.missing` where there is no image of the template's name."""
        if not self._user_template:
            self._context.look_up(self._context.template, host.architecture()[0])

    def _delete_disks(self, prefix: str) -> None:
        disks = sorted(path.name for path in (self._home / "_disks").glob(f"{prefix}*"))
        if disks:
            self._limactl.run("disk", "delete", "--force", *disks)

    def _disk_prefix(self, name: str) -> str:
        """Of the additional disks of a machine, whose names all clusters share. No name of a machine has a dot."""
        return f"{self._network.name}.{name}."

    def _owns(self, instance: Instance) -> bool:
        return instance.owner == self._context.cluster

    def _own(self) -> list[Instance]:
        mine = [found for found in self._limactl.instances() if self._owns(found)]
        # A host agent that is slow to answer makes its machine look broken for a moment.
        settled = [self._power.settled(found) if found.status == "Broken" else found for found in mine]
        return sorted((found for found in settled if found), key=lambda found: found.name)

    def _get(self, name: str) -> Instance:
        for found in self._limactl.instances(name):
            if self._owns(found):
                return found
        raise OhmykubeError(
            "lima.no-machine",
            f"the cluster {self._context.cluster} has no machine {name}",
            hint="`ohmykube up` makes what is missing",
            context={"machine": name},
        )

    def _target(self, instance: Instance) -> SshTarget:
        return describe.ssh_target(instance, self._context)
