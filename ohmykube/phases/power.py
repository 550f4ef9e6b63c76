"""Switch machines off and on again, and see to it that the cluster is what it was."""

from ohmykube.model.machines import MachineSpec
from ohmykube.phases.base import Context
from ohmykube.phases.machines import save
from ohmykube.phases.parallel import in_parallel
from ohmykube.phases.watch import watching


class StopMachines:
    """Workers first: their kubelets still have somebody to tell. Node objects keep labels and taints meanwhile."""

    title = "stop the machines"

    def needed(self, context: Context) -> bool:
        stopped = {machine.name for machine in context.provider.machines() if machine.status == "stopped"}
        return any(machine.name not in stopped for machine in context.targets)

    def run(self, context: Context) -> None:
        def stop(machine: MachineSpec) -> None:
            with context.task(self.title, "stop", machine.name):
                context.provider.stop(machine.name)

        for role in ("worker", "control-plane"):
            in_parallel([m for m in context.targets if m.role == role], stop, workers=context.parallel)
        context.changed += 1
        save(context)


class StartMachines:
    """The control plane first. Machines that are gone are made by `up` alone."""

    title = "start the machines"

    def needed(self, context: Context) -> bool:
        running = {machine.name for machine in context.provider.machines() if machine.status == "running"}
        return any(machine.name not in running for machine in context.targets)

    def run(self, context: Context) -> None:
        context.provider.prepare()

        def start(machine: MachineSpec) -> None:
            with context.task(self.title, "start", machine.name):
                context.provider.start(machine.name)

        for role in ("control-plane", "worker"):
            in_parallel([m for m in context.targets if m.role == role], start, workers=context.parallel)
        context.changed += 1


class ResumeCluster:
    """What may have changed while machines were off is put right: addresses, clocks. Then the API server is asked."""

    title = "Kubernetes"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        running = {machine.name for machine in context.provider.machines() if machine.status == "running"}
        names = [machine.name for machine in context.machines if machine.name in running]
        with watching(context, names) as stop:
            context.play(self.title, "site", limit=names, stop=stop)
