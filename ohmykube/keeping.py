"""All that is kept on this computer as one thing: what lies there, what may go, and both caches in one archive."""

import os
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils import bundle, cache_entry, upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Row
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import normal_reference, repository

from ohmykube.store.machine_images import MachineImage, MachineImages

_PACKAGES, _IMAGES = "packages", "images"


def folders(root: Path) -> list[upkeep.Folder]:
    """root: the home's cache folder."""
    return [upkeep.Folder(root / _PACKAGES), upkeep.Folder(root / _IMAGES)]


def archived(root: Path) -> list[bundle.Folder]:
    """The same folders as parts of an archive."""
    texts = ("source_url", "created")
    return [
        bundle.Folder(_PACKAGES, root / _PACKAGES, identity=cache_entry.IDENTITY, texts=texts),
        bundle.Folder(_IMAGES, root / _IMAGES, identity=("reference", "arch"), texts=("digest", "created")),
    ]


def superfluous(used: Iterable[Artifact], known: Iterable[Artifact]) -> Callable[[Row], bool]:
    """Which rows of an index belong to nothing that is used.

    used: what is to stay. known: what the catalogue speaks of; images of other repositories were brought by a person,
    who also removes them.
    """
    used = list(used)
    versions = {(artifact.component, artifact.version) for artifact in used}
    references = {normal_reference(image) for artifact in used for image in artifact.images}
    repositories = {repository(normal_reference(image)) for artifact in known for image in artifact.images}

    def judge(row: Row) -> bool:
        if "reference" in row:
            return row["reference"] not in references and repository(row["reference"]) in repositories
        return (row.get("component"), row.get("version")) not in versions

    return judge


def machine_images(root: Path) -> MachineImages:
    return MachineImages(root / "machines")


def prune_machine_images(
    root: Path, *, keep_days: float | None, max_size: int | None, unused: bool
) -> list[MachineImage]:
    """Remove those that no machine reads: all of them, old ones, or the oldest while too much is kept in all.

    They go before what is in the caches: all that they hold can be made from that again. max_size: bytes.
    """
    images = machine_images(root)
    entries = sorted(images.entries(), key=lambda image: image.created)
    total = sum(int(str(row["bytes"])) for row in stats(root) if row["kind"] == "total")
    gone: list[MachineImage] = []
    for image in entries:
        age = datetime.now(UTC) - datetime.fromisoformat(image.created)
        old = keep_days is not None and age > timedelta(days=keep_days)
        if unused or old or (max_size is not None and total > max_size):
            removed = images.prune([image])
            total -= sum(each.size for each in removed)
            gone += removed
    return gone


def stats(root: Path) -> list[dict[str, object]]:
    """Number of entries and bytes, by kind."""
    counts = {kind: [0, 0] for kind in ("package", "file", "image", "machine", "unfinished", "unknown")}
    for folder in folders(root):
        for kept in folder.files():
            if kept.used:
                counts[kept.kind][0] += len(kept.rows)
                counts[kept.kind][1] += kept.size
        for stray in folder.strays():
            counts[stray.kind][0] += 1
            counts[stray.kind][1] += stray.size
    images = machine_images(root).entries()
    counts["machine"] = [len(images), sum(image.size for image in images)]
    counts["total"] = [sum(entries for entries, _ in counts.values()), sum(size for _, size in counts.values())]
    return [{"kind": kind, "entries": entries, "bytes": size} for kind, (entries, size) in counts.items()]


def export(root: Path, target: Path, on_step: Callable[[str], None]) -> tuple[list[Row], str]:
    """Write both caches to a file, whole or not at all; the rows and the file's sum. Raises as `bundle.write`."""
    with disk_errors(target):
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        new = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                written = export_stream(root, file, on_step)
                file.flush()
                os.fsync(file.fileno())
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    return written


def export_stream(root: Path, target: BinaryIO, on_step: Callable[[str], None]) -> tuple[list[Row], str]:
    return bundle.write(target, archived(root), on_step)
