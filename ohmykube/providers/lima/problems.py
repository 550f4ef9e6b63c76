"""What can be wrong with whose machine is whose, in words."""

from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.lima.limactl import Instance


def taken(instance: Instance) -> OhmykubeError:
    if not instance.owner:
        return unowned(instance)
    return OhmykubeError(
        "lima.name-taken",
        f"a machine named {instance.name} is there already and belongs to the cluster {instance.owner}",
        hint="take another name for the cluster or for its group of workers",
        context={"machine": instance.name, "path": instance.directory},
        exit_code=2,
    )


def unowned(instance: Instance) -> OhmykubeError:
    """Made by hand, or its template was edited so that Lima cannot read it any more."""
    remove = f"LIMA_HOME={instance.directory.parent} limactl delete --force {instance.name}"
    return OhmykubeError(
        "lima.no-owner",
        f"the machine {instance.name} names no cluster that it belongs to",
        hint=f"mend {instance.directory / 'lima.yaml'}, or remove the machine: `{remove}`",
        context={"machine": instance.name, "path": instance.directory, "errors": instance.errors},
    )


def left(name: str, directory: Path) -> OhmykubeError:
    return OhmykubeError(
        "lima.delete",
        f"{name} was deleted and its folder is still there",
        hint=f"see what holds {directory}, and try again",
        context={"machine": name, "path": directory},
    )


def detail(instance: Instance) -> str:
    """Of a machine that is broken."""
    if instance.status == "Running":
        return "it has not been seen to boot: its host key is not the pinned one until then"
    return instance.errors or f"Lima calls it {instance.status}"
