"""A file server with faults, and caches in folders of the test's own."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import ohmykube  # noqa: F401 - makes the collection importable
from tests.patience import PATIENCE
from tests.unit.cache.archives import artifact, docker_archive, files
from tests.unit.cache.server import Server, serve

from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache  # isort: skip
from ansible_collections.ohmykube.cluster.plugins.module_utils.download import Downloader, Limits  # isort: skip
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, ImageCache  # isort: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(Limits(stall=2, total=PATIENCE, attempts=3, backoff=0.01))


@pytest.fixture
def cache(tmp_path: Path, downloader: Downloader) -> Cache:
    return Cache(tmp_path / "cache" / "packages", downloader)


@pytest.fixture
def images(tmp_path: Path) -> ImageCache:
    return ImageCache(tmp_path / "cache" / "images")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "packages"


@pytest.fixture
def add(images: ImageCache, tmp_path: Path):  # type: ignore[no-untyped-def]
    def write_and_add(content: bytes, name: str = "image.tar") -> list[Image]:
        (tmp_path / name).write_bytes(content)
        return images.add(tmp_path / name)

    return write_and_add


@pytest.fixture
def filled(cache: Cache, images: ImageCache, server: Server, tmp_path: Path) -> Path:
    """A home's cache folder with two packages, a manifest and an image of two names."""
    tool = random.Random(3).randbytes(30_000)  # noqa: S311 (not a secret)
    archive = files({"bin/tool": tool, "bin/more": b"1"})
    places = {"bin/*": "usr/bin/"}
    cache.ensure(artifact(server.put("t.tgz", archive), archive, component="t", format="tar.gz", members=places))
    cache.ensure(artifact(server.put("raw", tool), tool, component="raw"))
    cache.ensure(artifact(server.put("f.yml", b"kind: List"), b"kind: List", component="f", members={}, arch="any"))
    (tmp_path / "app.tar").write_bytes(docker_archive(["app:1", "app:2"]))
    images.add(tmp_path / "app.tar")
    return tmp_path / "cache"
