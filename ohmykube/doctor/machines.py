"""The cluster's machines: as its provider sees them now, against the wish and what was recorded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ohmykube.doctor.base import COMPUTER, Finding, from_error, ok
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.machines import Machine, MachineSpec, SshTarget
from ohmykube.providers.base import Provider

REMOVAL_TIMEOUT = 240.0  # seconds; a node that holds pods is drained first


class Ask(Protocol):
    def __call__(
        self, target: SshTarget, module: str, options: Mapping[str, Any] | None = None, *, timeout: float
    ) -> dict[str, Any]:
        """As `ohmykube.nodes.ask`."""
        ...


@dataclass(frozen=True)
class Patient:
    """A cluster to be examined.

    machines: as wished. recorded: addresses by name, as they were last seen. ready: whether it ever was.
    resume: what `ohmykube start` does: it tells the cluster what has changed while machines were off.
    """

    name: str
    provider: Provider
    machines: tuple[MachineSpec, ...]
    recorded: Mapping[str, str]
    ready: bool
    ask: Ask
    resume: Callable[[], object]

    @property
    def planes(self) -> list[str]:
        return [machine.name for machine in self.machines if machine.role == "control-plane"]


def provider(patient: Patient) -> Iterator[Finding]:
    """Whether the provider works here still, and could make what is missing."""
    used = patient.provider
    why_not = used.unusable()
    if why_not:
        what = f"{used.name} cannot be used here: {why_not}"
        yield Finding("provider.unusable", COMPUTER, "problem", what, "mend that first")
        return
    there = {machine.name for machine in used.machines()}
    problems = used.preflight([spec for spec in patient.machines if spec.name not in there])
    for problem in problems:
        yield from from_error(problem, COMPUTER)
    if not problems:
        yield ok("provider", COMPUTER, f"{used.name} works here")


def judge(patient: Patient, seen: Sequence[Machine]) -> Iterator[Finding]:
    there = {machine.name: machine for machine in seen}
    down = [spec for spec in patient.machines if spec.name in there and there[spec.name].status != "running"]
    start = partial(_start, patient, down) if patient.provider.owns_machines else None
    for spec in patient.machines:
        yield from _state(patient, spec, there.get(spec.name), start)
    wished = {spec.name for spec in patient.machines}
    for machine in seen:
        if machine.name not in wished:
            yield _orphan(patient, machine)


def running(patient: Patient, seen: Sequence[Machine]) -> dict[str, SshTarget]:
    """Those of the wish that can be visited, by name."""
    targets = {machine.name: machine.ssh for machine in seen if machine.ssh and machine.status == "running"}
    return {spec.name: targets[spec.name] for spec in patient.machines if spec.name in targets}


def _state(
    patient: Patient, spec: MachineSpec, machine: Machine | None, start: Callable[[], object] | None
) -> Iterator[Finding]:
    again = f"`ohmykube up --name {patient.name}`"
    if machine is None:
        yield Finding("machine.missing", spec.name, "problem", "the machine is gone", f"{again} makes it anew")
    elif machine.status == "stopped":
        remedy = f"`ohmykube start --name {patient.name}`"
        yield Finding("machine.stopped", spec.name, "problem", "the machine is switched off", remedy, fix=start)
    elif machine.status == "broken":
        what = f"the machine does not work: {machine.detail}"
        remedy = f"{again} tries to start it; `ohmykube delete {spec.name} --force` gives it up"
        if not patient.provider.owns_machines:
            remedy = "see whether it is on, and what its network and sshd do"
        yield Finding("machine.broken", spec.name, "problem", what, remedy, fix=start)
    else:
        yield ok("machine", spec.name, "the machine runs")
        yield from _address(patient, machine)


def _address(patient: Patient, machine: Machine) -> Iterator[Finding]:
    before = patient.recorded.get(machine.name, "")
    if machine.address and before and machine.address != before:
        what = f"its address was {before} and is {machine.address} now"
        yield moved(patient, machine.name, what)


def moved(patient: Patient, name: str, what: str) -> Finding:
    remedy = f"`ohmykube start --name {patient.name}` tells the cluster"
    fix = patient.resume if patient.ready else None
    return Finding("address.changed", name, "problem", what, remedy, fix=fix)


def _orphan(patient: Patient, machine: Machine) -> Finding:
    what = f"a machine of {patient.name} that nobody wishes for is left over, {machine.status}"
    if patient.ready and machine.name.startswith(f"{patient.name}-control-plane-"):  # etcd may count on it
        return Finding("machine.orphan", machine.name, "warning", what, f"`ohmykube delete {machine.name}`")
    remedy = f"`ohmykube delete {machine.name}`, or `ohmykube doctor --fix`"
    return Finding("machine.orphan", machine.name, "warning", what, remedy, fix=partial(_remove, patient, machine.name))


def _start(patient: Patient, machines: Sequence[MachineSpec]) -> None:
    """All of them, side by side. What they share may be gone too, after a restart of this computer."""
    patient.provider.prepare()
    errors: list[OhmykubeError] = []

    def start(machine: MachineSpec) -> None:
        try:
            patient.provider.start(machine.name)
        except OhmykubeError as error:
            errors.append(error)

    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(start, machines))
    raise_all(errors)


def _remove(patient: Patient, name: str) -> None:
    """Out of the cluster first, if it was ever in: what runs there moves, and what would be lost is refused."""
    if patient.ready:
        seen = patient.provider.machines()
        plane = next((target for node, target in running(patient, seen).items() if node in patient.planes), None)
        if plane is None:
            hint = "start the control plane first"
            raise OhmykubeError("node.not-drained", f"no control plane runs that could empty {name}", hint=hint)
        alive = any(machine.name == name and machine.status == "running" for machine in seen)
        options = {"nodes": [name], "dead": [] if alive else [name]}
        patient.ask(plane, "kube_remove", options, timeout=REMOVAL_TIMEOUT)
    patient.provider.delete(name)
