"""ohmykube: a real multi-node Kubernetes cluster from one command.

The collection `ohmykube.cluster` carries the logic that roles and CLI share (catalogue, cache, errors) and
never imports this package; so this package makes the collection importable, once, here.
"""

import sys
from pathlib import Path

__version__ = "0.1.0"


def _find_collections() -> Path:
    """The folder that holds `ansible_collections`: inside the wheel, or beside this package in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "_ansible" / "collections"
    return shipped if shipped.is_dir() else package.parent / "collections"


COLLECTIONS = _find_collections()


def _make_importable() -> None:
    """Put the collection on the import path, also beside an installed `ansible_collections` package."""
    sys.path.append(str(COLLECTIONS))
    import ansible_collections

    ours = str(COLLECTIONS / "ansible_collections")
    if ours not in ansible_collections.__path__:
        ansible_collections.__path__.append(ours)


_make_importable()
