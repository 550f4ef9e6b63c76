"""HTTPS with an authority of one's own, and a real proxy in between."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.download import Downloader
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from ohmykube.artifacts import architecture
from tests.unit.cache.archives import hexsum
from tests.unit.cache.proxy import UPSTREAM, Proxy, authority, proxy
from tests.unit.cache.server import Fault, Server, serve

CONTENT = bytes(range(256)) * 3000
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own proxies and authorities."""
    for name in (*_VARIABLES, *map(str.upper, _VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Server]:
    _, tls = authority(tmp_path)
    with serve(tls) as running:
        yield running


@pytest.fixture
def between(secure: Server) -> Iterator[Proxy]:
    with proxy(secure.port) as running:
        yield running


def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def test_an_authority_of_ones_own(
    secure: Server, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, tmp_path)
    downloader.fetch(secure.put("f", CONTENT, Fault(cut=300_000)), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [asked for _, asked in secure.asked] == ["", "bytes=300000-"]


def test_an_unknown_authority_is_refused_at_once(secure: Server, downloader: Downloader, tmp_path: Path) -> None:
    with pytest.raises(OhmykubeError) as caught:
        downloader.fetch(secure.put("f", CONTENT), tmp_path / "part")
    assert caught.value.code == "download.failed"
    assert "certificate" in caught.value.message
    assert "SSL_CERT_FILE" in caught.value.hint
    assert secure.asked == []


def test_through_a_proxy_that_tunnels(
    secure: Server, between: Proxy, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is known to the proxy alone; a broken download goes on through it."""
    known(monkeypatch, tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", between.url)
    secure.put("f", CONTENT, Fault(cut=300_000))
    downloader.fetch(f"https://{UPSTREAM}/f", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert between.asked == [f"CONNECT {UPSTREAM}:443"] * 2
    assert [asked for _, asked in secure.asked] == ["", "bytes=300000-"]


def test_a_proxy_does_not_weaken_https(
    secure: Server, between: Proxy, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", between.url)
    secure.put("f", CONTENT)
    with pytest.raises(OhmykubeError, match="certificate"):
        downloader.fetch(f"https://{UPSTREAM}/f", tmp_path / "part")
    assert len(between.asked) == 1


def test_a_plain_proxy_with_a_password(
    server: Server, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("f", CONTENT)
    with proxy(server.port, password="geheim") as between:  # noqa: S106
        monkeypatch.setenv("HTTP_PROXY", between.url)
        monkeypatch.setenv("http_proxy", between.url)
        downloader.fetch(f"http://{UPSTREAM}/f", tmp_path / "part")
        assert (tmp_path / "part").read_bytes() == CONTENT
        assert between.asked == [f"GET http://{UPSTREAM}/f"]
        monkeypatch.setenv("http_proxy", between.url.replace("geheim", "falsch"))
        with pytest.raises(OhmykubeError, match="407") as caught:
            downloader.fetch(f"http://{UPSTREAM}/f", tmp_path / "again")
        assert "falsch" not in str(caught.value.as_dict())


def test_no_proxy_is_heard(
    server: Server, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(server.port) as between:
        monkeypatch.setenv("http_proxy", between.url)
        monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
        downloader.fetch(server.put("f", CONTENT), tmp_path / "part")
        assert between.asked == []


def test_a_proxy_that_is_not_there(downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(OhmykubeError, match="refused") as caught:
        downloader.fetch(f"https://{UPSTREAM}/f", tmp_path / "part")
    assert "HTTPS_PROXY" in caught.value.hint


def test_the_command_line_hears_both(secure: Server, between: Proxy, tmp_path: Path, home: Path) -> None:
    """Several at once, each resumed, sums published beside them; all of it through the tunnel."""
    components = {}
    for name in "abcdef":
        content = name.encode() * 200_000
        secure.put(name, content, Fault(cut=50_000), Fault(status=503))
        secure.put(f"{name}.sha256", f"{hexsum(content)}  {name}\n".encode())
        source = {"url": f"https://{UPSTREAM}/{name}", "checksum_url": "{url}.sha256"}
        components[name] = {
            "members": {"": f"usr/bin/{name}"}, "format": "raw", "versions": {"v1.0.0": {architecture(): source}}
        }  # fmt: skip
    (tmp_path / "catalogue.yml").write_text(yaml.safe_dump({"components": components}))
    argv = [sys.executable, "-m", "ohmykube", "--catalogue", str(tmp_path / "catalogue.yml"), "cache", "pull"]
    environment = os.environ | {"HTTPS_PROXY": between.url, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    done = subprocess.run(
        [*argv, *components], check=False, capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 7
    assert {asked for _, asked in secure.asked} == {"", "bytes=50000-"}
    assert set(between.asked) == {f"CONNECT {UPSTREAM}:443"}
