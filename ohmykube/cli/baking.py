"""Machine images: made where somebody asks for one, and made anew when theirs has become stale."""

from contextlib import suppress
from typing import Any

from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.custom import Hooks
from ohmykube.model.spec import Cluster
from ohmykube.phases.base import Event, execute
from ohmykube.plans import BAKE, DOWN
from ohmykube.providers import lookup
from ohmykube.store.machine_images import MachineImage


def bake(session: Session, wish: Cluster) -> tuple[MachineImage, bool]:
    """The image that machines of this cluster begin with, and whether it is new."""
    found = _fresh(session, wish)
    if found:
        return found, False
    builder = _builder(wish)
    with session.locked(builder.name, "cache bake") as folder:
        found = _fresh(session, wish)
        if found:  # another process has made it meanwhile
            return found, False
        execute(BAKE, session.context(builder, folder, prepared=False))
    return next(image for image in session.machine_images.entries() if image.name == wish.image_name), True


def refresh(session: Session, cluster: Cluster, *, changed: bool) -> None:
    """After `up`: bake a stale image anew, for those who have baked one; tell others, where something was made.

    The cluster is fine whatever comes of it, so a failure is only told.
    """
    if not lookup.owns_machines(cluster.spec.provider):
        return
    if not any(image.name == cluster.image_name for image in session.machine_images.entries()):
        if changed:
            _tell(session, "`ohmykube cache bake` makes the next cluster like this much sooner.")
        return
    if _fresh(session, cluster) or not session.artifacts.digest(cluster):
        return
    _tell(session, f"The machine image {cluster.image_name} is stale: it is baked anew.")
    try:
        bake(session, cluster)
    except OhmykubeError as error:
        words = "It could not be baked, which leaves the cluster as it is; `ohmykube cache bake` tries again"
        _tell(session, f"{words}: {error.message}")
        with suppress(OhmykubeError):  # `ohmykube list` shows a machine that is left
            _discard(session, _builder(cluster))


def _fresh(session: Session, cluster: Cluster) -> MachineImage | None:
    inputs = session.artifacts.digest(cluster)
    found = (image for image in session.machine_images.entries() if image.name == cluster.image_name)
    return next((image for image in found if inputs and image.inputs == inputs), None)


def _discard(session: Session, builder: Cluster) -> None:
    """Nobody asked for that machine, so nobody would look at it."""
    with session.locked(builder.name, "down") as folder:
        if folder.exists():
            execute(DOWN, session.context(builder, folder))


def _tell(session: Session, words: str) -> None:
    session.events(Event("note", "", words))


def _builder(wish: Cluster) -> Cluster:
    """A cluster of one machine, which lasts as long as the image is made; `down` removes one that was left.

    Its disk is the smallest of all, as disks only grow. It has no files and hooks: other clusters begin with it too.
    """
    spec = wish.spec
    disk = min([spec.control_plane.disk, *(group.disk for group in spec.workers if group.count)])
    plain: dict[str, Any] = {"hooks": Hooks(), "files": ()}
    plane = spec.control_plane.model_copy(update={**plain, "count": 1, "disk": disk, "disks": ()})
    name = f"bake-{spec.kubernetes_version.replace('.', '-')}"
    return wish.model_copy(
        update={
            "metadata": wish.metadata.model_copy(update={"name": name}),
            "spec": spec.model_copy(update={**plain, "control_plane": plane, "workers": ()}),
        }
    )
