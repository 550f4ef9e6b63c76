"""Make the machines, start them, and record how they were seen."""

from collections.abc import Sequence
from dataclasses import replace

from ohmykube import ssh
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.machines import Machine, MachineSpec, SshTarget
from ohmykube.phases.base import Context
from ohmykube.phases.parallel import in_parallel
from ohmykube.store import sources
from ohmykube.store.state import MachineRecord


class RecordWish:
    """Written before the first machine is made, so that a run killed at any moment leaves what `down` needs."""

    title = "record the cluster"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        context.folder.make()
        context.cluster = sources.keep(context.cluster, context.folder.sources)
        context.folder.write_spec(context.cluster.as_data())
        sources.forget(context.cluster, context.folder.sources)
        known = dict.fromkeys([*context.state.addons, *context.cluster.addon_names])
        context.state = replace(context.state, addons=tuple(known))
        ssh.generate_key(context.folder.identity_file, f"ohmykube {context.cluster.name}")
        save(context)


class MakeMachines:
    title = "machines"

    def needed(self, context: Context) -> bool:
        running = {machine.name for machine in context.provider.machines() if machine.status == "running"}
        return any(machine.name not in running for machine in context.targets)

    def run(self, context: Context) -> None:
        context.provider.prepare()

        def make(machine: MachineSpec) -> None:
            with context.task(self.title, "create", machine.name):
                context.provider.create(machine)
            with context.task(self.title, "start", machine.name):
                context.provider.start(machine.name)

        in_parallel(context.targets, make, workers=context.parallel)
        context.changed += 1


class ReachMachines:
    title = "ssh"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """Raises OhmykubeError `machine.stopped` for one that goes off meanwhile, `ssh.unreachable` else."""

        def reach(machine: MachineSpec) -> None:
            with context.task(self.title, "wait for an answer", machine.name):
                target = _running(context, machine.name).ssh
                if target:
                    _answering(context, machine.name, context.shared(target))

        in_parallel(context.targets, reach, workers=len(context.targets), interrupted=context.interrupted)
        save(context)


def save(context: Context) -> None:
    """Write down the machines as they are seen now: the inventory is made from this."""
    seen = {machine.name: machine for machine in context.provider.machines()}
    records = tuple(
        replace(
            MachineRecord.planned(machine),
            seen=seen.get(machine.name),
            variables=context.provider.variables(machine.name),
        )
        for machine in context.machines
    )
    context.state = replace(
        context.state,
        machines=records,
        address_pool=context.provider.address_pool(),
        api_address=context.provider.api_address(),
    )
    context.folder.write_state(context.state)


def running_planes(context: Context) -> list[Machine]:
    """Control planes that can be asked, as they are seen now; the first ones first."""
    seen = {machine.name: machine for machine in context.provider.machines()}
    wished = [machine.name for machine in context.machines if machine.role == "control-plane"]
    return [seen[name] for name in wished if name in seen and seen[name].status == "running"]


def _answering(context: Context, name: str, target: SshTarget) -> None:
    try:
        ssh.wait(target, timeout=context.provider.boot_timeout, look=lambda: _running(context, name))
    except OhmykubeError as error:
        error.message = f"{name} does not answer: {error.message}" if error.code == "ssh.unreachable" else error.message
        error.context["machine"] = name
        raise


def _running(context: Context, name: str) -> Machine:
    context.go_on()
    seen = {machine.name: machine for machine in context.provider.machines()}.get(name)
    if seen and seen.status == "running":
        return seen
    raise stopped(name, seen)


def stopped(name: str, seen: Machine | None) -> OhmykubeError:
    """What to tell of a machine that went off while it was worked on."""
    state = f"{seen.status} {seen.detail}".strip() if seen else "gone"
    return OhmykubeError(
        "machine.stopped",
        f"{name} does not run any more, but is {state}",
        hint="the same command again starts it",
        context={"machine": name},
    )


def delete_machines(context: Context, phase: str, names: Sequence[str]) -> None:
    """Each is tried; where one stays, the verb ends partly done, and again finishes it."""
    failed: list[OhmykubeError] = []

    def delete(name: str) -> None:
        try:
            with context.task(phase, "delete the machine", name):
                context.provider.delete(name)
        except OhmykubeError as error:
            error.exit_code = 3
            failed.append(error)

    in_parallel(names, delete, workers=context.parallel)
    context.changed += len(names) - len(failed)
    raise_all(failed)
