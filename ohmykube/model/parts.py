"""The parts of a cluster file that have hooks and files of their own: the whole, each group, each host. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

from ohmykube.model.custom import Hook, Hooks, NodeFile
from ohmykube.model.document import Path
from ohmykube.model.spec import Cluster, Group, Host, Spec

Part = Spec | Group | Host


def parts(cluster: Cluster) -> Iterator[tuple[Path, Part]]:
    """The whole first; each with its place in the file."""
    spec = cluster.spec
    yield ("spec",), spec
    yield ("spec", "controlPlane"), spec.control_plane
    yield from ((("spec", "workers", number), group) for number, group in enumerate(spec.workers))
    yield from ((("spec", "hosts", number), host) for number, host in enumerate(spec.hosts))


def hook_seconds(cluster: Cluster) -> int:
    """That hooks may take; nodes run theirs side by side."""
    whole, *others = (part.hooks.seconds for _, part in parts(cluster))
    return whole + max(others)


def replaced(
    cluster: Cluster, hook: Callable[[Path, Hook], Hook], file: Callable[[Path, NodeFile], NodeFile]
) -> Cluster:
    """With what is made of each hook and file, which come with their places in the file."""

    def made(place: Path, part: Part) -> dict[str, Any]:
        hooks = {
            key: tuple(hook((*place, "hooks", moment, number), each) for number, each in enumerate(found))
            for key, (moment, found) in zip(Hooks.model_fields, part.hooks.moments(), strict=True)
        }
        files = tuple(file((*place, "files", number), each) for number, each in enumerate(part.files))
        return {"hooks": part.hooks.model_copy(update=hooks), "files": files}

    spec, new = cluster.spec, {place: made(place, part) for place, part in parts(cluster)}
    changed = {
        **new["spec",],
        "control_plane": spec.control_plane.model_copy(update=new["spec", "controlPlane"]),
        "workers": tuple(each.model_copy(update=new["spec", "workers", n]) for n, each in enumerate(spec.workers)),
        "hosts": tuple(each.model_copy(update=new["spec", "hosts", n]) for n, each in enumerate(spec.hosts)),
    }
    return cluster.model_copy(update={"spec": spec.model_copy(update=changed)})
