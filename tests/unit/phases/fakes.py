"""Fakes at the protocols: a provider, playbooks and artifacts that keep everything in memory."""

from dataclasses import dataclass, field
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget
from ohmykube.phases.base import Overlapped


@dataclass
class FakeProvider:
    """Machines are entries of a dictionary. `refuse` names machines that cannot be deleted or created."""

    context: object = None
    existing: dict[str, str] = field(default_factory=dict)  # name → status
    refuse: set[str] = field(default_factory=set)
    problems: list[OhmykubeError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    owns_machines: bool = True
    boot_timeout: float = 1
    name: str = "fake"
    ssh: SshTarget | None = None  # the same of all machines

    @staticmethod
    def unusable() -> str:
        return ""

    def preflight(self, machines):
        self.calls.append(f"preflight {len(machines)}")
        return self.problems

    def prefetch(self):
        self.calls.append("prefetch")

    def prepare(self):
        self.calls.append("prepare")

    def create(self, machine):
        if machine.name in self.refuse:
            raise OhmykubeError("fake.refused", f"{machine.name} cannot be made")
        self.existing.setdefault(machine.name, "stopped")

    def start(self, name):
        self.calls.append(f"start {name}")
        self.existing[name] = "running"

    def stop(self, name):
        self.calls.append(f"stop {name}")
        self.existing[name] = "stopped"

    def cut_power(self, name):
        if name in self.refuse:
            raise OhmykubeError("fake.refused", f"{name} has no switch")
        self.existing[name] = "stopped"

    def delete(self, name):
        if name in self.refuse:
            raise OhmykubeError("fake.refused", f"{name} cannot be deleted")
        self.existing.pop(name, None)

    def capture(self, name, target):
        (target / "disk").write_text(name)

    def machines(self):
        return [
            Machine(name, status, address=f"10.0.0.{number}", ssh=self.ssh)
            for number, (name, status) in enumerate(sorted(self.existing.items()), start=1)
        ]

    def clusters(self):
        return []

    def cleanup(self):
        self.calls.append("cleanup")

    def variables(self, name):
        return {"node_of": name}

    def address_pool(self):
        return "10.0.0.200-10.0.0.250"

    def api_address(self):
        return "10.0.0.254"

    def reach(self, address, port):
        return f"{address}:{port}"


def without(plan, *titles):
    """The phases of a plan one by one, but those whose titles these are: real machines would have to answer them."""
    found = [
        each for phase in plan for each in ((phase.first, phase.then) if isinstance(phase, Overlapped) else (phase,))
    ]
    return [phase for phase in found if phase.title not in titles]


@dataclass
class FakePlaybooks:
    """Counts runs; `fails` is raised by the next one. told: the variables and the limit of the last one."""

    changes: int = 5
    fails: OhmykubeError | None = None
    ran: list[str] = field(default_factory=list)
    told: tuple = ()

    def run(self, playbook, on_step, *, on_end=None, variables=None, limit=(), stop=lambda: None, before=None):
        if before:
            before.result()
        self.ran.append(playbook)
        self.told = variables, limit
        on_step("dev-worker-1", "a task")
        if self.fails:
            raise self.fails
        if on_end:
            on_end("dev-worker-1", "a task", "changed", 0.5)
        changed, self.changes = self.changes, 0
        return changed


@dataclass
class FakeArtifacts:
    """inputs: the digest of what is cached. images: how many can be pulled; refused: why others cannot."""

    cached: bool = False
    inputs: str = "0123456789abcdef"
    images: int = 0
    refused: list[OhmykubeError] = field(default_factory=list)
    absent: list[OhmykubeError] = field(default_factory=list)
    root: Path | None = None

    def missing(self, cluster):
        return self.absent

    def digest(self, cluster):
        return self.inputs if self.cached else ""

    def complete(self, cluster):
        return self.cached

    def fetch(self, cluster, on_step):
        on_step("kubeadm")
        self.cached = True

    def sizes(self, cluster):
        return [("kubeadm", "v1.36.4", 1000)]

    def images_complete(self, cluster):
        return not (self.images or self.refused)

    def fetch_images(self, cluster, on_step):
        on_step("registry.k8s.io/pause:1")
        new, self.images = self.images, 0
        return new, self.refused
