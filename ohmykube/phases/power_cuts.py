"""Machines that are to stay off are not switched on by what `chaos power-off` has left waiting."""

from ohmykube.chaos.power import PowerCuts
from ohmykube.phases.base import Context


class ForgetPowerCuts:
    title = "end power cuts"

    def needed(self, context: Context) -> bool:
        return any(PowerCuts(context.folder).find(machine.name) for machine in context.targets)

    def run(self, context: Context) -> None:
        for machine in context.targets:
            PowerCuts(context.folder).forget(machine.name)
