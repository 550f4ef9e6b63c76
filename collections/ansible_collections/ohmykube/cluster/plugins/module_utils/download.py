# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Downloads over HTTP: resumed where they broke off, bounded in time. Whether the result is the right one its sum says.

Proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`), further authorities from `SSL_CERT_FILE`.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import NO_LOGINS, Logins, login_for

_BLOCK = 1 << 18  # bytes
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Broken(Exception):
    """An attempt that may succeed when made again."""


_PASSING = (_Broken, http.client.HTTPException, ssl.SSLError, TimeoutError, ConnectionError, urllib.error.URLError)
Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: unknown)


@dataclass(frozen=True)
class Limits:
    """stall: seconds without a byte. total: seconds for one file, all attempts.

    attempts: failures in a row that got no further. backoff: seconds after the first of them, doubled each time.
    """

    stall: float = 30
    total: float = 3600
    attempts: int = 5
    backoff: float = 0.5


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Checksums are fetched this way too: what was asked for by https must not be answered by http.

    Where a redirection leads to another host, that one gets no login but its own.
    """

    def __init__(self, logins: Logins) -> None:
        self._logins = logins

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.HTTPError(newurl, code, "redirected from https to http", headers, fp)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        return _authorized(request, self._logins) if request else None


def open_url(
    url: str,
    timeout: float,
    *,
    headers: Mapping[str, str] | None = None,
    logins: Logins = NO_LOGINS,
    method: str = "GET",
) -> http.client.HTTPResponse:
    """The answer to one request, with its redirections followed. timeout: seconds of silence. Raises as urllib does."""
    everything = {"User-Agent": "ohmykube", **(headers or {})}
    request = urllib.request.Request(url, headers=everything, method=method)  # noqa: S310 (http, https)
    opener = urllib.request.build_opener(_Redirects(logins))
    response: http.client.HTTPResponse = opener.open(_authorized(request, logins), timeout=timeout)
    return response


def _authorized(request: urllib.request.Request, logins: Logins) -> urllib.request.Request:
    """The same request; urllib does not copy this header to where it is redirected."""
    login = login_for(request.full_url, logins)
    if login:
        request.add_unredirected_header("Authorization", login)
    return request


class Downloader:
    """Fetches files and short texts within `limits`."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits

    def fetch(self, url: str, part: Path, progress: Progress | None = None, logins: Logins = NO_LOGINS) -> None:
        """Download `url` to `part`, going on with what is there of the same file on the server.

        Raises OhmykubeError `download.failed`; `part` stays for the next time.
        """
        self._attempts(url, lambda deadline: self._fetch(url, part, deadline, progress, logins), lambda: _size(part))

    @staticmethod
    def discard(part: Path) -> None:
        """Forget a download, finished or not."""
        part.unlink(missing_ok=True)
        _note(part).unlink(missing_ok=True)

    def text(self, url: str, size: int = 1 << 20, logins: Logins = NO_LOGINS) -> str:
        """A small text of at most `size` bytes. Raises OhmykubeError `download.failed`."""
        content: list[bytes] = []

        def read(_deadline: float) -> None:
            with open_url(url, self._limits.stall, logins=logins) as response:
                content[:] = [response.read(size)]

        self._attempts(url, read)
        return content[0].decode("utf-8", "replace")

    def _attempts(self, url: str, attempt: Callable[[float], None], size: Callable[[], int] = lambda: 0) -> None:
        """Until it succeeds, or fails too often without coming further. size: how far it is, in bytes."""
        deadline, failures, furthest = time.monotonic() + self._limits.total, 0, size()
        while True:
            try:
                return attempt(deadline)
            except _PASSING as error:
                if size() > furthest:
                    failures, furthest = 0, size()
                pause = self._limits.backoff * 2**failures
                failures += 1
                if _is_final(error) or failures >= self._limits.attempts or time.monotonic() + pause > deadline:
                    raise _failed(url, error) from error
            time.sleep(pause)

    def _fetch(self, url: str, part: Path, deadline: float, progress: Progress | None, logins: Logins) -> None:
        note = _note(part)
        have, validator = _resumable(url, part, note)
        headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
        try:
            response = open_url(url, self._limits.stall, headers=headers, logins=logins)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # all of it was here already
            note.unlink(missing_ok=True)
            raise _Broken("the server refused to go on with the download") from error
        with response:
            start, total = _position(response, have)
            with part.open("ab" if start else "wb") as file:
                if not start:
                    _remember(note, url, response)
                done = start
                while block := response.read1(_BLOCK):
                    file.write(block)
                    done += len(block)
                    if progress:
                        progress(done, total)
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"not finished after {self._limits.total:.0f} seconds")
        if total and done != total:
            raise _Broken(f"the connection ended after {done} of {total} bytes")


def _note(part: Path) -> Path:
    """Says which file of the server `part` is the beginning of."""
    return part.with_name(part.name + ".json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _resumable(url: str, part: Path, note: Path) -> tuple[int, str]:
    """How many bytes of it are here, and what proves that the server still has the same file."""
    try:
        known = json.loads(note.read_text())
        size = part.stat().st_size
    except (OSError, ValueError):
        return 0, ""
    usable = isinstance(known, dict) and known.get("url") == url and known.get("validator")
    return (size, str(known["validator"])) if usable else (0, "")


def _remember(note: Path, url: str, response: http.client.HTTPResponse) -> None:
    etag = response.headers.get("ETag", "")
    strong = etag if etag.startswith('"') else ""  # a weak one cannot vouch for bytes
    validator = strong or response.headers.get("Last-Modified", "")
    note.write_text(json.dumps({"url": url, "validator": validator}))


def _position(response: http.client.HTTPResponse, have: int) -> tuple[int, int]:
    """Where the answer starts in the file, and the file's size (0: the server does not say)."""
    if response.status != 206:
        return 0, int(response.headers.get("Content-Length") or 0)
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not match or int(match[1]) != have:
        raise _Broken("the server sent another part than was asked for")
    return have, 0 if match[2] == "*" else int(match[2])


def _is_final(error: Exception) -> bool:
    """Whether the same answer would come again: a refusal, or a certificate of nobody known."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code not in _TRY_AGAIN
    return isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)


def _failed(url: str, error: Exception) -> OhmykubeError:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        why = f"the server answers {error.code} {error.reason}"
        hint = "Check the version, or name a mirror in a catalogue overlay (--catalogue FILE)."
        if error.code == 401:
            hint = "Put user and password into its url in a catalogue overlay: https://USER:PASSWORD@host/…"
    else:
        why = str(getattr(error, "reason", error)) or type(error).__name__
        hint = (
            "Check the network, HTTPS_PROXY and SSL_CERT_FILE; or name a mirror or a local file in a catalogue overlay "
            "(--catalogue FILE), or bring a filled cache."
        )
    return OhmykubeError(
        "download.failed", f"{url} cannot be downloaded: {why}.", hint=hint, context={"url": url, "reason": why}
    )
