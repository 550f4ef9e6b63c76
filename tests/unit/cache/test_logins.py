"""A mirror that wants user and password, in its URL: sent to that host alone, and shown and stored nowhere."""

import base64
import dataclasses
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.download import open_url
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import split_login, without_login

from ohmykube.artifacts import _unreachable, architecture
from tests.unit.cache.archives import hexsum
from tests.unit.cache.server import Fault, Server, serve

USER, PASSWORD = "ann", "s3cret/ä@:"
IN_URL = "ann:s3cret%2F%C3%A4%40%3A@"
WORD = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CONTENT = b"a tool" * 1000


@pytest.fixture
def private(server: Server) -> Server:
    server.login = f"Basic {WORD}"
    server.put("tool", CONTENT)
    server.put("tool.sha256", hexsum(CONTENT).encode())
    return server


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with serve() as running:
        yield running


def with_login(url: str) -> str:
    return url.replace("://", f"://{IN_URL}")


def overlay(folder: Path, url: str, checksum_url: str = "{url}.sha256") -> Path:
    file = folder / "overlay.yml"
    version = {"v1.0.0": {architecture(): {"url": url, "checksum_url": checksum_url}}}
    component = {"format": "raw", "members": {"": "usr/bin/tool"}, "versions": version}
    file.write_text(yaml.safe_dump({"components": {"tool": component}}))
    return file


def tool(folder: Path, *urls: str) -> Artifact:
    return Catalogue.load([overlay(folder, *urls)]).artifact("tool", architecture())


def holds_secret(text: str) -> bool:
    return any(word in text for word in ("s3cret", WORD, PASSWORD))


def test_the_file_and_its_sum_are_fetched_with_it(private: Server, cache: Cache, tmp_path: Path) -> None:
    artifact = tool(tmp_path, with_login(private.url("tool")))
    entry = cache.ensure(artifact)
    assert (entry.verified, entry.source_url) == (True, private.url("tool"))
    assert private.logins == [private.login] * 2
    assert _unreachable([artifact]) == []  # what is asked before anything is fetched


def test_it_is_nowhere_to_be_read(
    private: Server, cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    artifact = tool(tmp_path, with_login(private.url("tool")))
    (tmp_path / "overlay.yml").unlink()
    told: list[str] = []
    private.faults["tool"] = [Fault(cut=100), Fault(cut=0), Fault(cut=0), Fault(cut=0)]
    with pytest.raises(OhmykubeError) as caught:  # half a download and its note lie there now
        cache.ensure(artifact, progress=lambda name, *_: told.append(name))
    private.login = "Basic another"
    with pytest.raises(OhmykubeError) as denied:
        cache.ensure(artifact)
    assert "USER:PASSWORD" in denied.value.hint
    assert "401" in denied.value.message
    (unreachable,) = _unreachable([artifact])
    files = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    errors = [json.dumps(error.as_dict()) + repr(error) for error in (caught.value, denied.value, unreachable)]
    shown = [repr(artifact), json.dumps(artifact.as_dict()), *told, *files, *errors, caplog.text]
    assert not any(map(holds_secret, shown))

    private.login = f"Basic {WORD}"
    entry = cache.ensure(artifact)
    files = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(map(holds_secret, [*files, repr(dataclasses.asdict(entry))]))


def test_a_redirection_to_another_host_does_not_get_it(private: Server, elsewhere: Server, tmp_path: Path) -> None:
    target = elsewhere.put("real", CONTENT)
    private.put("tool", b"", Fault(status=302, headers={"Location": target}))
    url, logins = split_login(with_login(private.url("tool")))
    with open_url(url, 5, logins=logins) as answer:
        assert answer.read() == CONTENT
    assert private.logins == [private.login]
    assert elsewhere.logins == [""]


def test_a_redirection_on_the_same_host_gets_it(private: Server) -> None:
    private.put("old", b"", Fault(status=302, headers={"Location": "/tool"}))
    url, logins = split_login(with_login(private.url("old")))
    with open_url(url, 5, logins=logins) as answer:
        assert answer.read() == CONTENT
    assert private.logins == [private.login] * 2


def test_each_host_gets_its_own(private: Server, elsewhere: Server, cache: Cache, tmp_path: Path) -> None:
    elsewhere.put("sums", hexsum(CONTENT).encode())
    bob = f"Basic {base64.b64encode(b'bob:').decode()}"
    urls = with_login(private.url("tool")), elsewhere.url("sums").replace("://", "://bob@")
    cache.ensure(tool(tmp_path, *urls))
    assert private.logins == [private.login]
    assert elsewhere.logins == [bob]


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://a:b@host/x?y=@z", "https://host/x?y=@z"),
        ("https://a@host:8443/x", "https://host:8443/x"),
        ("https://a:b@c@[::1]:1/x", "https://[::1]:1/x"),
        ("https://host/a@b", "https://host/a@b"),
        ("file:///a@b", "file:///a@b"),
    ],
)
def test_what_is_left_of_a_url(url: str, bare: str) -> None:
    assert split_login(url)[0] == bare
    assert bool(split_login(url)[1]) is (url != bare)
    assert without_login(url) == bare


def test_a_url_that_is_refused_is_shown_without_it(tmp_path: Path) -> None:
    for scheme in ("ftp", "file"):
        with pytest.raises(OhmykubeError) as caught:
            tool(tmp_path, f"{scheme}://{IN_URL}host/x")
        assert caught.value.code == "catalogue.invalid"
        assert "host/x" in caught.value.message
        assert not holds_secret(caught.value.message)
