"""Caches on their way to another computer: whole, or not at all."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from ohmykube import COLLECTIONS, keeping
from tests.unit.cache.archives import artifact, docker_archive, entry, hexsum, tar
from tests.unit.cache.bundles import clean, exported, imported, left_behind, refused, state
from tests.unit.cache.server import Server

ROOT = Path(__file__).resolve().parents[3]


def test_there_and_back(filled: Path, tmp_path: Path) -> None:
    content, there = exported(filled), tmp_path / "there"
    brought = imported(content, there, hexsum(content))
    assert all(each.changed for each in brought)
    assert state(there).keys() == state(filled).keys()
    assert clean(there)
    assert left_behind(there) == []
    assert sorted(e.component for e in Cache(there / "packages").entries()) == ["f", "raw", "t"]
    assert len(ImageCache(there / "images").entries()) == 2
    before = state(there)
    assert not any(each.changed for each in imported(content, there))
    assert state(there) == before
    assert exported(there) == exported(filled) == content


def test_people_can_take_it_apart(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(exported(filled))
    subprocess.run(["tar", "--extract", "--file=x.tar"], check=True, cwd=tmp_path, timeout=30)
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], check=True, cwd=tmp_path, timeout=30, capture_output=True, text=True
    )
    assert done.stdout.count(": OK") == 5


def test_it_joins_what_is_there(filled: Path, server: Server, tmp_path: Path) -> None:
    """Own entries stay; a damaged file is mended; an image's name moves to what is imported."""
    there = tmp_path / "there"
    own = Cache(there / "packages").ensure(artifact(server.put("own", b"own"), b"own", component="own"))
    (tmp_path / "other.tar").write_bytes(docker_archive(["app:1"], [tar([entry("x", b"another")])]))
    ImageCache(there / "images").add(tmp_path / "other.tar")
    content = exported(filled)
    imported(content, there)
    assert own in Cache(there / "packages").entries()
    assert len({image.sha256 for image in ImageCache(there / "images").entries()}) == 1
    spoilt = next((there / "packages").glob("t-*"))
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"!")
    imported(content, there)
    assert clean(there)


def test_a_damaged_cache_is_not_exported(filled: Path, tmp_path: Path) -> None:
    spoilt = next((filled / "packages").glob("t-*"))
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"!")
    (tmp_path / "x.tar").write_text("old")
    with pytest.raises(OhmykubeError) as caught:
        keeping.export(filled, tmp_path / "x.tar", str)
    assert caught.value.code == "cache.damaged"
    assert "cache verify" in caught.value.hint
    assert (tmp_path / "x.tar").read_text() == "old"
    assert list(tmp_path.glob(".x.tar*")) == []


def test_cut_anywhere(filled: Path, tmp_path: Path) -> None:
    content = exported(filled)
    end = len(content.rstrip(b"\0"))
    for length in [0, 1, 511, 512, 513, 2000, end // 2, end - 1, end + 200]:
        refused(content[:length], tmp_path / "there")


def test_any_flipped_bit(filled: Path, tmp_path: Path) -> None:
    """It is refused, or it was in a byte that says nothing: padding, or a header's time and owner."""
    content, choose = exported(filled), random.Random(5)  # noqa: S311
    whole = state(filled).keys()
    for number in range(60):
        bit = choose.randrange(len(content.rstrip(b"\0")) * 8)
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        there = tmp_path / f"there{number}"
        try:
            imported(bytes(damaged), there)
        except OhmykubeError as error:
            assert error.code == "cache.import-refused"
            assert state(there) == {}
        else:
            assert state(there).keys() == whole
            assert clean(there)


def test_another_archive_than_was_sent(filled: Path, tmp_path: Path) -> None:
    """Whoever tampers can make all sums right, except the one that was passed on beside the archive."""
    content = exported(filled)
    assert "its sha256 is" in refused(content, tmp_path / "there", "0" * 64)


MEASURE = """
import resource, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from ansible_collections.ohmykube.cluster.plugins.module_utils import bundle, bundle_reader
from ohmykube import keeping
here, there, file = map(Path, sys.argv[3:6])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
keeping.export(here, file, str)
with file.open("rb") as source:
    bundle_reader.read(source, "x", keeping.archived(there), str)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_memory_stays_constant(tmp_path: Path) -> None:
    """100 MB through less than 32 MiB, there and back."""
    (tmp_path / "big").write_bytes(random.Random(6).randbytes(100_000_000))  # noqa: S311
    url = (tmp_path / "big").as_uri()
    Cache(tmp_path / "here" / "packages").ensure(artifact(url, (tmp_path / "big").read_bytes()))
    paths = [str(tmp_path / name) for name in ("here", "there", "x.tar")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(COLLECTIONS), str(ROOT), *paths],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert int(done.stdout) < 32
    assert clean(tmp_path / "there")
