"""Bring the cluster's add-ons into it, and take away those that it no longer has."""

from dataclasses import dataclass, replace

from ohmykube.errors import OhmykubeError
from ohmykube.phases.base import Context
from ohmykube.phases.machines import running_planes
from ohmykube.phases.watch import watching


@dataclass(frozen=True)
class ApplyAddons:
    """force: lose volumes and custom resources with those that go."""

    force: bool = False
    title: str = "add-ons"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """On the machines that run; the others get images when they are started."""
        if not running_planes(context):
            hint = f"`ohmykube start --name {context.cluster.name}` switches it on"
            raise OhmykubeError("addon.no-plane", "no control plane runs that could be asked", hint=hint)
        running = [machine.name for machine in context.provider.machines() if machine.status == "running"]
        with watching(context, running) as stop:
            context.play(self.title, "addon", variables={"addon_force": self.force}, limit=running, stop=stop)
        context.state = replace(context.state, addons=context.cluster.addon_names)
        context.folder.write_state(context.state)
