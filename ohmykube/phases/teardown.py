"""Take a cluster away without a trace."""

from ohmykube import kubeconfig
from ohmykube.errors import OhmykubeError
from ohmykube.phases.base import Context
from ohmykube.phases.machines import delete_machines, save
from ohmykube.store.home import Home


class ResetMachines:
    """Machines that outlive the cluster are given back as they were."""

    title = "reset the machines"

    def needed(self, context: Context) -> bool:
        return not context.provider.owns_machines and bool(context.provider.machines())

    def run(self, context: Context) -> None:
        """Every machine is tried; one that cannot be reset keeps the cluster recorded, and the verb ends partly done.

        What was wished but never became a machine of the cluster is not asked: an `up` may have died before.
        """
        taken = {machine.name: machine.address for machine in context.provider.machines()}
        context.machines = tuple(machine for machine in context.machines if machine.name in taken)
        save(context)
        try:
            context.play(self.title, "reset")
        except OhmykubeError as error:
            error.exit_code = 3
            for lost in getattr(error, "errors", [error]):
                if lost.code == "node.unreachable":
                    forget = f"ssh-keygen -R {taken[lost.context['node']]} -f {context.folder.known_hosts}"
                    lost.hint = f"switch it on and run `ohmykube down` again; if it is gone for good, first `{forget}`"
            raise


class DeleteMachines:
    title = "delete the machines"

    def needed(self, context: Context) -> bool:
        return bool(context.provider.machines())

    def run(self, context: Context) -> None:
        """A machine that stays keeps the cluster recorded."""
        delete_machines(context, self.title, [machine.name for machine in context.provider.machines()])


class CleanUp:
    title = "clean up"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        context.provider.cleanup()
        if context.kubeconfig:
            kubeconfig.remove_context(context.kubeconfig, context.cluster.name)
        Home(context.folder.path.parent.parent).forget_choice(context.cluster.name)
        context.folder.remove()
