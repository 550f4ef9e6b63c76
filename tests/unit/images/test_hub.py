"""Registries that give tokens: with and without a login, a token that ends, and a bad connection."""

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from ohmykube.images import registry as module
from ohmykube.images.pull import Pulled, Puller
from tests.unit.cache.proxy import authority
from tests.unit.images.hub import Hub, serve

LAYER = random.Random(1).randbytes(1_000_000)  # noqa: S311 - the same in each run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(module, "_BACKOFF", 0.01)
    with serve() as running:
        running.manifest(LAYER)
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "images"


def pull(hub: Hub, root: Path, insecure: bool = True) -> Pulled:
    puller = Puller(root, lambda repository: module.Registry(repository, insecure=insecure))
    return puller.pull([hub.reference], "amd64", lambda _: None)


def test_an_anonymous_token(hub: Hub, root: Path) -> None:
    assert pull(hub, root).images[0][0].digest == hub.digest
    assert hub.credentials == [""]


def test_a_token_for_who_is_logged_in(hub: Hub, root: Path, nobodys_credentials: Path) -> None:
    auth = base64.b64encode(b"ann:secret").decode()
    (nobodys_credentials / ".docker").mkdir(parents=True)
    (nobodys_credentials / ".docker/config.json").write_text(json.dumps({"auths": {hub.address: {"auth": auth}}}))
    assert pull(hub, root).images
    assert hub.credentials == [f"Basic {auth}"]


def test_a_token_that_ends_in_the_middle(hub: Hub, root: Path) -> None:
    hub.uses = 2
    assert pull(hub, root).images
    assert len(hub.credentials) == 2


def test_a_token_that_is_never_good(hub: Hub, root: Path) -> None:
    hub.uses = 0
    (error,) = pull(hub, root).errors
    assert error.code == "registry.denied"
    assert len(hub.credentials) <= 4


@pytest.mark.parametrize("faults", [[503, 429, 500], ["cut"], [None, "cut", "cut", "cut"]])
def test_a_bad_connection(hub: Hub, root: Path, faults: list[object]) -> None:
    hub.faults = faults
    assert pull(hub, root).images
    assert ImageCache(root).entries()


def test_a_broken_download_goes_on_where_it_broke(hub: Hub, root: Path) -> None:
    hub.faults = [None, "cut", "cut"]
    assert pull(hub, root).images
    assert any(" bytes=" in asked for asked in hub.asked)


def test_a_registry_that_stays_broken(hub: Hub, root: Path) -> None:
    hub.faults = [429] * 20
    (error,) = pull(hub, root).errors
    assert error.code == "registry.failed"
    assert "docker login" in error.hint
    assert len(hub.asked) == 4


def test_silence_has_an_end(hub: Hub, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALL", 0.2)
    monkeypatch.setattr(module, "_ATTEMPTS", 2)
    hub.faults = ["hang", "hang"]
    (error,) = pull(hub, root).errors
    assert error.code == "registry.unreachable"


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with serve(authority(tmp_path)[1]) as running:
            running.manifest(LAYER)
            yield running

    def test_an_authority_of_ones_own(
        self, secure: Hub, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (error,) = pull(secure, root, insecure=False).errors
        assert error.code == "registry.unreachable"
        assert "SSL_CERT_FILE" in error.hint
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert pull(secure, root, insecure=False).images

    def test_credentials_never_go_over_plain_http_by_an_answers_wish(
        self, secure: Hub, hub: Hub, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        secure.realm = hub.realm
        (error,) = pull(secure, root, insecure=False).errors
        assert error.code == "registry.unreachable"
        assert "plain HTTP" in error.message
        assert hub.credentials == []


def test_what_is_not_what_its_digest_says(hub: Hub, root: Path) -> None:
    layer = next(name for name, content in hub.layout.blobs.items() if content == LAYER)
    hub.layout.blobs[layer] = LAYER[:-1] + b"x"
    (error,) = pull(hub, root).errors
    assert error.code == "image.corrupt"
    hub.layout.blobs[layer] = LAYER + b"and more"
    assert pull(hub, root).errors[0].code == "image.corrupt"
    hub.layout.blobs[layer] = LAYER
    assert pull(hub, root).images
