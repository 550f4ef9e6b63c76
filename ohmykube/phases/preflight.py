"""Find out within seconds, before any machine is made, what would fail later."""

from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.phases.base import Context


class Preflight:
    title = "check this computer"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        existing = {machine.name for machine in context.provider.machines()}
        new = [machine for machine in context.machines if machine.name not in existing]
        problems: list[OhmykubeError] = context.provider.preflight(new) if new else []
        raise_all([*problems, *context.artifacts.missing(context.cluster)])
