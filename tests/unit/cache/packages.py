"""The package cache, as several files of tests use it."""

from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact

TOOL = b"\x7fELF" * 50_000


def cache_recipe(wanted: Artifact) -> str:
    from ansible_collections.ohmykube.cluster.plugins.module_utils import cache as module

    return module._recipe(wanted)
