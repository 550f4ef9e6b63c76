"""Images that are on this computer already, in a file, in an engine or pulled before: as they are in the cache."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import private_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import stored_reference

from ohmykube.errors import OhmykubeError
from ohmykube.images import engines

Steps = Callable[[str], None]


def keep(root: Path, names: Sequence[str], engine: str, on_step: Steps) -> list[Image]:
    """The images of these archives, OCI layouts, or references.

    root: the cache's folder. engine: which one has them; empty: the first that has, else what was pulled before, since
    what somebody has just built is meant rather than what was pulled some time ago.
    Raises OhmykubeError `engine.*`, `image.*` or `archive.*`.
    """
    kept: list[Image] = []
    for name in names:
        on_step(name)
        if is_archive(name):
            kept += ImageCache(root).add(Path(name))
        else:
            kept += _by_name(root, name, engine)
    return kept


def _by_name(root: Path, name: str, engine: str) -> list[Image]:
    wanted = stored_reference(name)
    pulled = [] if engine else [image for image in ImageCache(root).entries() if image.reference == wanted]
    if pulled and "@" in name:  # an engine saves it without the digest
        return pulled
    try:
        return from_engine(root, name, engines.having(name, engine))
    except OhmykubeError as error:
        if pulled and error.code in ("engine.missing", "engine.no-image"):
            return pulled
        raise


def from_engine(root: Path, reference: str, engine: str) -> list[Image]:
    """By way of a file: an engine may end in the middle of its output and call it a success.

    The image gets the name that was asked for, too: Podman finds `app:v1` and calls it `localhost/app:v1`, which is
    not what a pod means by `app:v1`.
    """
    work = root / "work"
    private_folder(work)
    with engines.saved(engine, reference, work) as archive:
        return ImageCache(root).add(archive, alias="" if "@" in reference else reference)


def is_archive(name: str) -> bool:
    path = Path(name)
    return path.is_file() or (path / "index.json").is_file()
