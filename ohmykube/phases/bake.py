"""Prepare one machine as a node that belongs to no cluster yet, and keep its disk for later machines."""

from ohmykube.phases.base import Context


class PrepareNodes:
    title = "prepare the machine"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        context.play(self.title, "nodes")


class KeepMachineImage:
    title = "machine image"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """What went in is known only now that all of it is in the cache."""
        inputs = context.artifacts.digest(context.cluster)
        with context.machine_images.adding(context.cluster.image_name, inputs) as folder:
            context.provider.capture(context.machines[0].name, folder)
        context.changed += 1
