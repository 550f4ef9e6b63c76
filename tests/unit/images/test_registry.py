"""Pulling from a real registry: architectures, digests, credentials, and what happens when it does not work."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache, distinct

from ohmykube.errors import OhmykubeError
from ohmykube.images import registry as module
from ohmykube.images.pull import Pulled, Puller
from tests.unit.cache.archives import read, unpacked
from tests.unit.images.programs import program
from tests.unit.images.registry import PROGRAM, USERS, Registry, serve

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "images"


def puller(root: Path, *, insecure: bool = True, offline: bool = False) -> Puller:
    return Puller(root, lambda repository: module.Registry(repository, insecure=insecure), offline)


def pull(root: Path, *references: str, arch: str = "amd64", **how: bool) -> Pulled:
    return puller(root, **how).pull(references, arch, lambda _: None)


def problem(root: Path, *references: str, **how: bool) -> OhmykubeError:
    (error,) = pull(root, *references, **how).errors
    return error


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_the_machines_architecture_of_an_index(registry: Registry, root: Path, docker: bool) -> None:
    name = f"multi-{docker}".lower()
    digest = registry.push(name, {"amd64": b"for amd64", "arm64": b"for arm64"}, "v1", docker)
    reference = f"{registry.address}/{name}:v1"

    ((image, new),) = pull(root, reference, arch="arm64").images

    assert (new, image.reference, image.arch, image.digest) == (True, reference, "arm64", digest)
    layout = [member for member in unpacked(image.path) if member.startswith("blobs/")]
    assert len(layout) == 4  # the index, and of one image its manifest, configuration and layer
    index = json.loads(read(image.path, "index.json"))["manifests"]
    names = {entry["annotations"]["io.containerd.image.name"]: entry["digest"] for entry in index}
    assert names == {reference: digest, f"{registry.address}/{name}@{digest}": digest}
    assert not list((root / "work").glob("*.parts"))


def test_digests_lead_to_it_without_a_registry(registry: Registry, root: Path) -> None:
    digest = registry.push("digests", {"amd64": b"x"}, "v1")
    name = f"{registry.address}/digests"
    assert pull(root, f"{name}:v1@{digest}").images[0][1]
    for reference in (f"{name}@{digest}", f"{name}:v2@{digest}"):
        ((image, new),) = pull(root, reference, offline=True).images
        assert (image.digest, new) == (digest, False)
    assert len(ImageCache(root).entries()) == 1  # what the tag is now, nobody has asked


def test_both_architectures_side_by_side(registry: Registry, root: Path) -> None:
    registry.push("both", {"amd64": b"one", "arm64": b"two"}, "v1")
    for arch in ("amd64", "arm64", "amd64"):
        pull(root, f"{registry.address}/both:v1", arch=arch)
    assert [image.arch for image in distinct(ImageCache(root).entries())] == ["amd64", "arm64"]


def test_what_is_here_is_not_pulled_again_and_what_moved_is(registry: Registry, root: Path) -> None:
    reference = f"{registry.address}/moving:latest"
    registry.push("moving", {"amd64": b"old"}, "latest")
    first = pull(root, reference).images[0]
    assert pull(root, reference).images == [(first[0], False)]
    registry.push("moving", {"amd64": b"new"}, "latest")
    ((image, new),) = pull(root, reference).images
    assert new
    assert image.digest != first[0].digest
    assert pull(root, reference, offline=True).images == [(image, False)]


def test_an_image_without_an_index(registry: Registry, root: Path) -> None:
    digest = registry.push_single("single", "amd64", b"x", "v1", docker=True)
    assert pull(root, f"{registry.address}/single:v1").images[0][0].digest == digest
    error = pull(root, f"{registry.address}/single:v1", arch="arm64").errors[0]
    assert error.code == "image.arch"
    assert "is there for amd64, not for arm64" in error.message


def test_one_that_fails_stops_no_other(registry: Registry, root: Path) -> None:
    registry.push("good", {"amd64": b"x"}, "v1")
    pulled = pull(root, f"{registry.address}/none:v1", f"{registry.address}/good:v1", f"{registry.address}/good:v2")
    assert [error.code for error in pulled.errors] == ["registry.not-found"] * 2
    assert [image.reference for image, _ in pulled.images] == [f"{registry.address}/good:v1"]


def test_a_blob_that_the_registry_has_damaged(registry: Registry, root: Path) -> None:
    registry.push("damaged", {"amd64": b"a layer of its own"}, "v1")
    reference = f"{registry.address}/damaged:v1"
    ((image, _),) = pull(root, reference).images
    manifest = next(
        document
        for name in unpacked(image.path)
        if name.startswith("blobs/") and "layers" in (document := _json(read(image.path, name)))
    )
    file = registry.blob_file(manifest["layers"][0]["digest"])
    right = file.read_bytes()
    ImageCache(root).remove([reference])
    file.write_bytes(right[:-9] + bytes([right[-9] ^ 1]) + right[-8:])
    try:
        error = problem(root, reference)
        assert error.code == "image.corrupt"
        assert ImageCache(root).entries() == []
    finally:
        file.write_bytes(right)
    assert pull(root, reference).images[0][1]


@pytest.mark.parametrize("blob", ["half", "damaged half", "more than all"])
def test_a_pull_that_was_ended_goes_on(registry: Registry, root: Path, blob: str) -> None:
    """What an earlier process has left: the next run uses it, or notices that it is wrong."""
    content = bytes(range(256)) * 4096
    registry.push(f"resumed-{blob.replace(' ', '-')}", {"amd64": content}, "v1")
    reference = f"{registry.address}/resumed-{blob.replace(' ', '-')}:v1"
    seen: list[tuple[str, int]] = []

    class Ended(module.Registry):
        def blob(self, digest, size, part, on_bytes):  # type: ignore[no-untyped-def]
            seen.append((digest, size))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Puller(root, lambda repository: Ended(repository, insecure=True)).pull([reference], "amd64", lambda _: None)
    digest, _ = max(seen, key=lambda blob: blob[1])
    right = registry.blob_file(digest).read_bytes()
    part = root / "work" / "pull.parts" / f"{digest.removeprefix('sha256:')}.part"
    half = right[: len(right) // 2]
    part.write_bytes({"half": half, "damaged half": b"\0" * len(half), "more than all": right + b"more"}[blob])
    assert pull(root, reference).images[0][1]
    assert not part.exists()


def test_half_a_blob_is_not_asked_for_again(registry: Registry, tmp_path: Path) -> None:
    digest = registry.push_single("range", "amd64", bytes(range(256)) * 4096, "v1")
    source = module.Registry(f"{registry.address}/range", insecure=True)
    layer = json.loads(source.manifest(digest)[0])["layers"][0]
    right = registry.blob_file(layer["digest"]).read_bytes()
    part = tmp_path / "part"
    part.write_bytes(right[:1000])
    counted: list[int] = []
    source.blob(layer["digest"], layer["size"], part, counted.append)
    assert part.read_bytes() == right
    assert sum(counted) == len(right) - 1000


class TestOffline:
    def test_nothing_is_asked(self, root: Path) -> None:
        def connect(_: str) -> module.Registry:
            raise AssertionError("a registry was asked")

        pulled = Puller(root, connect, offline=True).pull(["a:1", "b:1"], "amd64", lambda _: None)
        assert [error.code for error in pulled.errors] == ["image.offline"] * 2


class TestReach:
    def test_nobody_there(self, root: Path) -> None:
        error = problem(root, "127.0.0.1:1/app:v1")
        assert error.code == "registry.unreachable"
        assert "Connection refused" in error.message

    def test_plain_http_is_spoken_only_where_it_was_asked_for(self, registry: Registry, root: Path) -> None:
        registry.push("plain", {"amd64": b"x"}, "v1")
        error = problem(root, f"{registry.address}/plain:v1", insecure=False)
        assert error.code == "registry.unreachable"
        assert error.hint.endswith(f"--insecure-registry {registry.address}")


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a password, with an image in it."""
    folder = tmp_path_factory.mktemp("private")
    with serve(folder) as open_one:
        open_one.push("secret", {"amd64": b"x"}, "v1")
    (folder / "users").write_text(USERS)
    with serve(folder, {"htpasswd": {"realm": "a registry", "path": str(folder / "users")}}) as running:
        yield running


class TestCredentials:
    @staticmethod
    def login(user: Path, address: str, password: str) -> None:
        auth = base64.b64encode(f"ann:{password}".encode()).decode()
        (user / ".docker").mkdir(parents=True)
        (user / ".docker/config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))

    def test_those_of_docker_login(self, private: Registry, root: Path, nobodys_credentials: Path) -> None:
        self.login(nobodys_credentials, private.address, "secret")
        assert pull(root, f"{private.address}/secret:v1").images

    def test_those_of_podman_login(
        self, private: Registry, root: Path, nobodys_credentials: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.login(nobodys_credentials, private.address, "secret")
        (nobodys_credentials / "containers").mkdir()
        (nobodys_credentials / ".docker/config.json").rename(nobodys_credentials / "containers/auth.json")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(nobodys_credentials))
        assert pull(root, f"{private.address}/secret:v1").images

    def test_none_and_wrong_ones(
        self, private: Registry, root: Path, nobodys_credentials: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        nobody = problem(root, f"{private.address}/secret:v1")
        self.login(nobodys_credentials, private.address, "hush-hush")
        wrong = problem(root, f"{private.address}/secret:v1")
        for error in (nobody, wrong):
            assert error.code == "registry.denied"
            assert f"docker login {private.address}" in error.hint
            assert "hush" not in json.dumps(error.as_dict())
        assert capfd.readouterr() == ("", "")

    def test_those_of_docker_hub(self, nobodys_credentials: Path) -> None:
        self.login(nobodys_credentials, "https://index.docker.io/v1/", "secret")
        auth = module.oras.auth.get_auth_backend("basic")
        module.Registry("docker.io/library/busybox")._log_in(auth)
        assert auth.get_auth_header() == {"Authorization": f"Basic {base64.b64encode(b'ann:secret').decode()}"}

    def test_a_helper_is_asked_and_has_a_limit(
        self, private: Registry, root: Path, nobodys_credentials: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (nobodys_credentials / ".docker").mkdir(parents=True)
        (nobodys_credentials / ".docker/config.json").write_text(json.dumps({"credsStore": "ours"}))
        monkeypatch.setenv("PATH", f"{nobodys_credentials}{os.pathsep}{os.environ['PATH']}")
        said = json.dumps({"Username": "ann", "Secret": "secret"})
        program(nobodys_credentials, "docker-credential-ours", f"#!/bin/sh\necho '{said}'\n")
        assert pull(root, f"{private.address}/secret:v1").images
        ImageCache(root).remove([f"{private.address}/secret:v1"])
        monkeypatch.setattr(module, "_HELPER", 0.2)
        program(nobodys_credentials, "docker-credential-ours", "#!/bin/sh\nexec sleep 3\n")
        assert problem(root, f"{private.address}/secret:v1").code == "registry.credentials"

    def test_a_file_that_makes_no_sense(self, private: Registry, root: Path, nobodys_credentials: Path) -> None:
        (nobodys_credentials / ".docker").mkdir(parents=True)
        (nobodys_credentials / ".docker/config.json").write_text("{")
        assert problem(root, f"{private.address}/secret:v1").code == "registry.credentials"


def _json(text: bytes) -> dict[str, list[dict[str, str]]]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
