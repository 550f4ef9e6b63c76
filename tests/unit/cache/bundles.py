"""Archives of both caches, there and back."""

import io
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import bundle, bundle_reader, upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from ohmykube import keeping
from tests.unit.cache.archives import hexsum


def exported(root: Path) -> bytes:
    buffer = io.BytesIO()
    rows, sha256 = bundle.write(buffer, keeping.archived(root), str)
    assert sha256 == hexsum(buffer.getvalue())
    assert len(rows) == 5
    return buffer.getvalue()


def imported(content: bytes, root: Path, sha256: str = "") -> list[bundle_reader.Brought]:
    return bundle_reader.read(Stream(content), "x.tar", keeping.archived(root), str, sha256)


class Stream(io.RawIOBase):
    """As a pipe gives it: in pieces, forward only."""

    name = "x.tar"

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, 10_007))


def state(root: Path) -> dict[str, bytes]:
    """Everything that a cache shows to others."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "work" not in path.parts and path.name != "lock"
    }


def left_behind(root: Path) -> list[Path]:
    return [path for path in root.rglob("work/*") if path.suffix != ".lock"]


def clean(root: Path) -> bool:
    return all(not why for _, why in upkeep.verify(keeping.folders(root), str))


def refused(content: bytes, root: Path, sha256: str = "") -> str:
    """Why; the cache is as before."""
    before = state(root)
    with pytest.raises(OhmykubeError) as caught:
        imported(content, root, sha256)
    assert caught.value.code == "cache.import-refused"
    assert caught.value.message.startswith("x.tar is refused, and nothing of it was imported")
    assert caught.value.hint
    assert state(root) == before
    assert left_behind(root) == []
    return caught.value.message
