"""Images of engines on this computer: which one is asked, what it saves, and what is said when it does not work."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, ImageCache, distinct

from ohmykube.errors import OhmykubeError
from ohmykube.images import engines, local
from tests.unit.cache.archives import Oci, docker_archive
from tests.unit.images.programs import HANGS, engine, program, search

Keep = Callable[..., list[Image]]


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the only engines that there are."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", search(folder))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "images"


@pytest.fixture
def keep(root: Path) -> Keep:
    def call(*names: str, engine: str = "") -> list[Image]:
        return distinct(local.keep(root, names, engine, lambda _: None))

    return call


def test_the_first_engine_that_has_it(bin: Path, keep: Keep) -> None:
    engine(bin, "docker")
    engine(bin, "podman", [("app:v1", docker_archive(["localhost/app:v1"], [b"of podman"]))])
    engine(bin, "nerdctl", [("app:v1", docker_archive(["app:v1"], [b"of nerdctl"]))])
    found = keep("app:v1")
    assert [image.reference for image in found] == ["docker.io/library/app:v1", "localhost/app:v1"]
    assert [image.reference for image in keep("app:v1", engine="nerdctl")] == ["docker.io/library/app:v1"]
    assert "nerdctl" not in (bin / "asked").read_text().partition("podman save")[0]


def test_nobody_has_it(bin: Path, keep: Keep) -> None:
    with pytest.raises(OhmykubeError) as caught:
        keep("app:v1")
    assert caught.value.code == "engine.missing"
    engine(bin, "docker")
    engine(bin, "podman")
    with pytest.raises(OhmykubeError, match=r"docker: No such image: app:v1; podman: No such") as caught:
        keep("app:v1")
    assert caught.value.code == "engine.no-image"
    assert "docker build -t app:v1" in caught.value.hint
    with pytest.raises(OhmykubeError, match="nerdctl: it is not installed"):
        keep("app:v1", engine="nerdctl")


def test_what_was_pulled_before_comes_after_what_was_built(bin: Path, keep: Keep, root: Path, tmp_path: Path) -> None:
    layout = Oci()
    digest = layout.image("amd64")
    layout.name(digest, io_containerd_image_name="app:v1")
    (tmp_path / "pulled.tar").write_bytes(layout.tar())
    ImageCache(root).add(tmp_path / "pulled.tar")
    assert [image.digest for image in keep("app:v1")] == [digest]
    engine(bin, "docker", [("app:v1", docker_archive(["app:v1"]))])
    assert [image.digest for image in keep("app:v1")] != [digest]
    assert not (bin / "asked").read_text().count(digest)


def test_a_digest_is_of_what_was_pulled(bin: Path, root: Path, tmp_path: Path) -> None:
    layout = Oci()
    digest = layout.image("amd64")
    layout.name(digest, io_containerd_image_name="app:v1")
    (tmp_path / "pulled.tar").write_bytes(layout.tar())
    ImageCache(root).add(tmp_path / "pulled.tar")
    engine(bin, "docker")
    (found,) = local.keep(root, [f"app:v9@{digest}"], "", lambda _: None)
    assert found.digest == digest
    assert not (bin / "asked").exists()


def test_an_engine_that_fails_or_hangs(bin: Path, keep: Keep, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(bin, "docker", [("app:v1", b"")])
    (bin / "docker.images/fails").touch()
    with pytest.raises(OhmykubeError, match="docker cannot save app:v1: the daemon went away") as caught:
        keep("app:v1")
    assert caught.value.code == "engine.failed"
    monkeypatch.setattr(engines, "_ASK_TIMEOUT", 0.2)
    program(bin, "docker", HANGS)
    with pytest.raises(OhmykubeError, match="docker: no answer within"):
        keep("app:v1")
    assert list((root / "work").glob("save-*")) == []


def test_archives_by_path(keep: Keep, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(docker_archive(["one:1", "two:1"]))
    assert len(keep(str(tmp_path / "x.tar"))) == 2
    assert not local.is_archive(str(tmp_path))


@pytest.mark.skipif(
    not shutil.which("podman") or os.geteuid() != 0, reason="podman is not installed, or nobody is root"
)
def test_a_real_podman(keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    (tmp_path / "app.tar").write_bytes(docker_archive(["localhost/app:v1"]))
    loaded = subprocess.run(
        ["podman", "load", "--input", tmp_path / "app.tar"], capture_output=True, text=True, timeout=60
    )
    assert loaded.returncode == 0, loaded.stderr
    first = keep("app:v1", engine="podman")
    assert [image.reference for image in first] == ["docker.io/library/app:v1", "localhost/app:v1"]
    assert keep("app:v1", engine="podman") == first
