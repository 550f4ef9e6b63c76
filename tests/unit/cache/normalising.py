"""Archives through the reader and the writer of the cache."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.archives import Written, normalise
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from tests.unit.cache.archives import COMPRESS, hexsum

FORMATS = [*COMPRESS, "zip"]
ANY: Mapping[str, str] = {"*": "all/"}


def run(
    folder: Path, content: bytes, format_: str = "tar.gz", places: Mapping[str, str] = ANY, **more: int
) -> tuple[Path, Written]:
    """Normalise; the result's path and record. The source's sum is checked on the way."""
    source, target = folder / "source", folder / "target.tar.zst"
    source.write_bytes(content)
    with source.open("rb") as file:
        hashed = HashedFile(file)
        written = normalise(hashed, target, format_=format_, places=places, **more)
        assert hashed.sha256() == hexsum(content)
    assert written.sha256 == hexsum(target.read_bytes())
    assert written.size == target.stat().st_size
    return target, written


def refused(folder: Path, content: bytes, format_: str = "tar.gz", places: Mapping[str, str] = ANY, **more: int) -> str:
    with pytest.raises(OhmykubeError) as caught:
        run(folder, content, format_, places, **more)
    return caught.value.code
