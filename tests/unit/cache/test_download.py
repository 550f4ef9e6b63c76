"""Downloads against a real server that misbehaves."""

import urllib.error
import urllib.request
from http.client import HTTPMessage
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.download import Downloader, Limits, _Redirects
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import NO_LOGINS

from tests.patience import FOREVER
from tests.unit.cache.server import Fault, Server

CONTENT = bytes(range(256)) * 3000  # 768 kB
NO_FURTHER = [Fault(cut=1000), *[Fault(cut=0)] * 3]  # more failures in a row than are forgiven


def failed(downloader: Downloader, url: str, part: Path) -> OhmykubeError:
    with pytest.raises(OhmykubeError) as caught:
        downloader.fetch(url, part)
    assert caught.value.code == "download.failed"
    assert url in caught.value.message
    assert caught.value.hint
    return caught.value


def ranges(server: Server) -> list[str]:
    return [asked for _, asked in server.asked]


def test_whole(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    downloader.fetch(server.put("f", CONTENT), tmp_path / "part", lambda done, total: seen.append((done, total)))
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_connection_is_gone_on_with(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    url = server.put("f", CONTENT, Fault(cut=300_000), Fault(cut=100_000))
    downloader.fetch(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert ranges(server) == ["", "bytes=300000-", "bytes=400000-"]


def test_as_often_as_it_comes_further(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    downloader.fetch(server.put("f", CONTENT, *[Fault(cut=50_000)] * 15), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_silence_is_a_broken_connection(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    url = server.put("f", CONTENT, Fault(cut=1000, stall=FOREVER))
    downloader.fetch(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert ranges(server)[1] == "bytes=1000-"


def test_the_next_call_goes_on(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    url = server.put("f", CONTENT, *NO_FURTHER)
    assert "1000 of 768000 bytes" in failed(downloader, url, tmp_path / "part").message
    downloader.fetch(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert ranges(server)[-1] == "bytes=1000-"


def test_what_is_complete_is_not_fetched_again(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    url = server.put("f", CONTENT)
    for _ in range(2):
        downloader.fetch(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert ranges(server) == ["", f"bytes={len(CONTENT)}-"]


def test_another_file_at_the_same_url_starts_over(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    failed(downloader, server.put("f", b"old" * 10_000, *NO_FURTHER), tmp_path / "part")
    downloader.fetch(server.put("f", CONTENT), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_over(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    url = server.put("f", CONTENT)
    downloader.fetch(url, tmp_path / "part")
    with (tmp_path / "part").open("ab") as file:
        file.write(b"more")
    downloader.fetch(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_the_part_of_another_url_is_not_used(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    failed(downloader, server.put("a", b"a" * 100_000, *NO_FURTHER), tmp_path / "part")
    downloader.fetch(server.put("b", CONTENT), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("missing", ["ranges", "etags"])
def test_a_server_that_cannot_resume(server: Server, downloader: Downloader, tmp_path: Path, missing: str) -> None:
    setattr(server, missing, False)
    downloader.fetch(server.put("f", CONTENT, Fault(cut=1000)), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_last_modified_proves_it_too(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    server.etags = False
    date = {"Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT", "ETag": 'W/"weak"'}
    url = server.put("f", CONTENT, Fault(cut=1000, headers=date))
    downloader.fetch(url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert ranges(server)[1] == "bytes=1000-"


def test_a_part_that_was_not_asked_for(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    wrong = Fault(status=206, headers={"Content-Range": "bytes 5-9/10", "Content-Length": "0"})
    downloader.fetch(server.put("f", CONTENT, Fault(cut=1000), wrong), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server: Server, downloader: Downloader, tmp_path: Path, status: int) -> None:
    downloader.fetch(server.put("f", CONTENT, Fault(status=status)), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_final(server: Server, downloader: Downloader, tmp_path: Path, status: int) -> None:
    error = failed(downloader, server.put("f", CONTENT, Fault(status=status)), tmp_path / "part")
    assert str(status) in error.message
    assert "overlay" in error.hint
    assert len(server.asked) == 1


def test_nobody_there(downloader: Downloader, tmp_path: Path) -> None:
    error = failed(downloader, "http://127.0.0.1:9/f", tmp_path / "part")
    assert "refused" in error.message
    assert "HTTPS_PROXY" in error.hint


def test_the_whole_has_a_limit(server: Server, tmp_path: Path) -> None:
    url = server.put("f", CONTENT, *[Fault(cut=1000, stall=0.2)] * 50)
    failed(Downloader(Limits(stall=0.1, total=0.5, attempts=99, backoff=0.01)), url, tmp_path / "part")


def test_a_proxy_of_the_environment(
    server: Server, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    server.put("http://upstream.invalid/f", CONTENT)
    downloader.fetch("http://upstream.invalid/f", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_text_is_bounded(server: Server, downloader: Downloader) -> None:
    assert downloader.text(server.put("sums", b"sum\xff" * 10, Fault(status=503)), size=4) == "sum\ufffd"


def test_https_is_not_given_up(server: Server) -> None:
    asked = urllib.request.Request("https://127.0.0.1/f")
    with pytest.raises(urllib.error.HTTPError, match="https to http"):
        _Redirects(NO_LOGINS).redirect_request(asked, None, 302, "", HTTPMessage(), server.url("f"))  # type: ignore[arg-type]
    kept = _Redirects(NO_LOGINS).redirect_request(asked, None, 302, "", HTTPMessage(), "https://x/f")  # type: ignore[arg-type]
    assert kept is not None
