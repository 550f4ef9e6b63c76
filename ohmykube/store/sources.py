"""Copies of the files that a wish names: what a cluster is made from is there whenever a node needs it.

Without them a machine that starts, or is added, would get what the user's file holds by then, or nothing.
"""

import tempfile
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import remove

from ohmykube.model.custom import Hook, NodeFile
from ohmykube.model.parts import parts, replaced
from ohmykube.model.spec import Cluster


def keep(cluster: Cluster, folder: Path) -> Cluster:
    """The cluster that names copies in `folder`, by their sums, in place of the user's own files."""

    def kept_hook(_: object, hook: Hook) -> Hook:
        return hook.model_copy(update={"file": _kept(hook.file, folder / hook.sum)}) if hook.sum else hook

    def kept_file(_: object, file: NodeFile) -> NodeFile:
        return file.model_copy(update={"source": _kept(file.source, folder / file.sum)}) if file.sum else file

    return replaced(cluster, kept_hook, kept_file)


def forget(cluster: Cluster, folder: Path) -> None:
    """Remove the copies that the cluster does not name."""
    named = {file.sum for _, part in parts(cluster) for file in part.files}
    named |= {hook.sum for _, part in parts(cluster) for _, hooks in part.hooks.moments() for hook in hooks}
    for copy in folder.glob("*"):
        if copy.name not in named:
            remove(copy)


def _kept(name: str, place: Path) -> str:
    """Whole or not at all, with modes of its own: a folder that nobody may write could not be removed either."""
    if not place.exists():
        source = read(Path(name))
        place.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-") as beside:
            made = Path(beside, "source")
            for path in source.folders:
                (made / path).mkdir(mode=0o700)
            for path, (data, executable) in source.files.items():
                (made / path).touch(0o700 if executable else 0o600)
                (made / path).write_bytes(data)
            made.rename(place)
    return str(place)
