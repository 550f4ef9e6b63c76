"""What is kept for clusters: is every file what the index says?"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep

from ohmykube.doctor.base import COMPUTER, Check, Finding, ok

_TIMEOUT = 120.0  # seconds; a gigabyte takes about one


def checks(folders: Callable[[], Sequence[upkeep.Folder]]) -> list[Check]:
    return [Check("cache", COMPUTER, lambda: look(folders()), _TIMEOUT)]


def look(folders: Sequence[upkeep.Folder]) -> Iterator[Finding]:
    """Damaged files are found and stay; the remedy removes them, so that the next verb that needs them fetches them."""
    looked = upkeep.inspect(folders)
    damaged = [(folder, kept, why) for folder, kept, why in looked if why]
    for folder, kept, why in damaged:
        again = "`ohmykube image add` or `image pull`" if kept.kind == "image" else "`ohmykube cache pull`"
        yield Finding(
            "cache.damaged",
            kept.path.name,
            "problem",
            f"{kept.name} in the cache is damaged: {why}",
            f"`ohmykube doctor --fix` removes it, {again} fetches it again",
            fix=partial(folder.verify, kept),
        )
    if not damaged:
        yield ok("cache", COMPUTER, f"{len(looked)} files in the cache are whole")
