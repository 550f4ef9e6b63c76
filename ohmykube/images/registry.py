"""The only import of oras: manifests and blobs out of a registry. Whether they are the right ones their sums say.

oras knows the registries' ways of logging in and finds the credentials that `docker login` has left. It sets no time
limit and tries again for minutes what cannot succeed, so both are done here.
"""

import logging
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import unwrap
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import oras.auth
import oras.container
import oras.logger
import oras.provider
import requests
import requests.adapters
import urllib3

from ohmykube.errors import OhmykubeError

_CONNECT = 10.0  # seconds
_STALL = 60.0  # seconds without a byte
_HELPER = 60.0  # seconds for a credential helper
_TOTAL = 3600.0  # seconds for one blob, all attempts
_ATTEMPTS = 4  # failures in a row that got no further
_BACKOFF = 0.5  # seconds after the first of them, doubled each time
_BLOCK = 1 << 18  # bytes
_DOCUMENT = 4 << 20  # bytes; registries themselves take no larger manifest
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_HUB = "docker.io"
_HUB_CREDENTIALS = "https://index.docker.io/v1/"  # where `docker login` keeps those of Docker Hub
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)

Value = TypeVar("Value")


class _Answer(Exception):
    """A status that is no success."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"the registry answers {response.status_code} {response.reason}")
        self.status = response.status_code


class _Bounded(requests.adapters.HTTPAdapter):
    def send(self, *args: Any, **options: Any) -> requests.Response:
        return super().send(*args, **{**options, "timeout": options.get("timeout") or (_CONNECT, _STALL)})


class _Refused(requests.adapters.BaseAdapter):
    """Neither a redirection nor the place of a token may lead from https to http: credentials would be readable."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> NoReturn:
        raise requests.exceptions.InvalidSchema(f"{request.url} is plain HTTP")

    def close(self) -> None: ...


class _Client(oras.provider.Registry):  # type: ignore[misc]
    do_request = unwrap(oras.provider.Registry.do_request)


class Registry:
    """One repository (`quay.io/me/app`). insecure: spoken to over plain HTTP."""

    def __init__(self, repository: str, *, insecure: bool = False) -> None:
        self._repository = repository
        self._name, _, self._path = repository.partition("/")
        self._host = "registry-1.docker.io" if self._name == _HUB else self._name
        self._insecure = insecure
        self._url = f"{'http' if insecure else 'https'}://{self._host}/v2/"
        self._client: Any = None
        oras.logger.logger.set_level(logging.CRITICAL)  # what it has to say is said by our errors

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """The manifest or index of a tag or digest, and its media type. Raises OhmykubeError `registry.*`."""

        def ask() -> tuple[bytes, str]:
            with self._get(f"manifests/{reference}", {"Accept": _ACCEPT}) as response:
                body = response.raw.read(_DOCUMENT, decode_content=True)
                return body, response.headers.get("Content-Type", "").partition(";")[0]

        return self._attempts(ask, f"{self._repository}:{reference}")

    def blob(self, digest: str, size: int, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Download to `part`, going on with what is there of it; hardly more than `size` bytes.

        on_bytes: told of every block; may raise to end the download. Raises OhmykubeError `registry.*`.
        """
        deadline = time.monotonic() + _TOTAL
        self._attempts(
            lambda: self._blob(digest, size, part, on_bytes, deadline),
            f"{self._repository}@{digest}",
            lambda: _size(part),
        )

    def _blob(self, digest: str, size: int, part: Path, on_bytes: Callable[[int], None], deadline: float) -> None:
        have = _size(part)
        if have >= size > 0:
            return
        with self._get(f"blobs/{digest}", {"Range": f"bytes={have}-"} if have else {}) as response:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            start = have if response.status_code == 206 and found and int(found[1]) == have else 0
            if response.status_code == 206 and not start:
                part.unlink()
                raise requests.ConnectionError("the registry sent another part than was asked for")
            with part.open("ab" if start else "wb") as file:
                for block in response.raw.stream(_BLOCK, decode_content=False):
                    file.write(block)
                    on_bytes(len(block))
                    if file.tell() > size or time.monotonic() > deadline:
                        break
        if _size(part) < size:
            raise requests.ConnectionError(f"the connection ended after {_size(part)} of {size} bytes")

    def _get(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        client = self._client = self._client or self._connect()  # several threads: one of them may lose it below
        wanted = {"User-Agent": "ohmykube", "Accept-Encoding": "identity", **headers}
        try:
            response: requests.Response = client.do_request(
                f"{self._url}{self._path}/{path}", "GET", headers=wanted, stream=True
            )
        except ValueError as error:  # it has nothing to answer the registry's question with
            if isinstance(error, requests.RequestException):
                raise
            raise self._denied() from error
        if response.status_code not in (200, 206):
            response.close()
            raise _Answer(response)
        return response

    def _connect(self) -> Any:
        client = _Client(self._host, insecure=self._insecure, tls_verify=_authorities())
        self._bound(client.session)
        with client.session.get(self._url, verify=client._tls_verify) as answer:
            challenge = answer.headers.get("Www-Authenticate", "")
        if challenge.lower().startswith("basic"):
            client.auth = oras.auth.get_auth_backend(
                "basic", client.session, self._insecure, tls_verify=client._tls_verify
            )
        with self._readable_credentials():
            self._log_in(client.auth)
            if challenge.lower().startswith("basic"):
                client.auth.get_auth_header()
        return client

    def _log_in(self, auth: Any) -> None:
        """Give it the stored credentials. A credential helper may ask somebody who is not there, so it has a limit."""
        container = oras.container.Container(f"{self._host}/any")
        container.registry = _HUB_CREDENTIALS if self._name == _HUB else self._name
        errors: list[Exception] = []

        def load() -> None:
            try:
                auth.load_configs(container, configs=_configs())
            except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
                errors.append(error)

        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        thread.join(_HELPER)
        if thread.is_alive():
            raise TimeoutError(f"no answer within {_HELPER:.0f} s")
        for error in errors:
            raise error

    def _bound(self, session: requests.Session) -> None:
        session.mount("https://", _Bounded())
        session.mount("http://", _Bounded() if self._insecure else _Refused())

    @contextmanager
    def _readable_credentials(self) -> Iterator[None]:
        try:
            yield
        except AttributeError as error:  # basic credentials are asked for, and there are none
            raise self._denied() from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OhmykubeError(
                "registry.credentials",
                f"The credentials for {self._name} cannot be had: {type(error).__name__} in Docker's configuration.",
                hint=f"`docker login {self._name}` writes them anew.",
                context={"registry": self._name},
            ) from error

    def _attempts(self, attempt: Callable[[], Value], name: str, size: Callable[[], int] = lambda: 0) -> Value:
        """Until it succeeds, or fails too often without coming further."""
        failures, furthest, deadline = 0, size(), time.monotonic() + _TOTAL
        while True:
            try:
                return attempt()
            except (_Answer, requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if size() > furthest:
                    failures, furthest = 0, size()
                pause = _BACKOFF * 2**failures
                failures += 1
                stale = isinstance(error, _Answer) and error.status == 401 and self._client is not None
                self._client = None  # a token lives for some minutes; a new client asks for a new one
                again = (stale and failures == 1) or _passing(error)
                if not again or failures >= _ATTEMPTS or time.monotonic() + pause > deadline:
                    raise self._failed(error, name) from error
            time.sleep(pause)

    def _failed(self, error: Exception, name: str) -> OhmykubeError:
        context = {"registry": self._name, "image": name, "reason": error}
        if isinstance(error, _Answer):
            if error.status in (401, 403):
                return self._denied()
            if error.status == 404:
                hint = f"Check name and tag; for what is private, `docker login {self._name}` first."
                return OhmykubeError("registry.not-found", f"{self._name} has no {name}.", hint=hint, context=context)
            hint = "Docker Hub allows more to those who are logged in: `docker login`." if error.status == 429 else ""
            return OhmykubeError("registry.failed", f"{name}: {error}.", hint=hint or "Try again.", context=context)
        words = str(error)
        if isinstance(error, requests.exceptions.InvalidSchema):
            hint = f"Where that is meant: --insecure-registry {self._name}"
        elif "WRONG_VERSION_NUMBER" in words or "RECORD_LAYER" in words:
            hint = f"Where it speaks plain HTTP and that is meant: --insecure-registry {self._name}"
        elif isinstance(error, requests.exceptions.SSLError):
            hint = "Where its certificate is of your own authority: SSL_CERT_FILE=/path/to/ca.pem"
        else:
            hint = "Check the name, the network and HTTPS_PROXY; or bring an archive: `ohmykube image add FILE`."
        return OhmykubeError(
            "registry.unreachable", f"{self._name} cannot be reached: {_reason(error)}.", hint=hint, context=context
        )

    def _denied(self) -> OhmykubeError:
        return OhmykubeError(
            "registry.denied",
            f"{self._name} does not give {self._repository} to us: it is private, or does not exist.",
            hint=f"Check the name; if it is private: `docker login {self._name}`, then the same command again.",
            context={"registry": self._name, "image": self._repository},
        )


def _passing(error: Exception) -> bool:
    """Whether another attempt may succeed."""
    if isinstance(error, _Answer):
        return error.status in _PASSING
    final = isinstance(
        error, requests.exceptions.SSLError | requests.exceptions.ProxyError | requests.exceptions.ConnectTimeout
    )
    return isinstance(error, _BROKEN) and not final and "Connection refused" not in str(error)


def _reason(error: Exception) -> str:
    """The last cause, without the library's wrappings."""
    found = re.findall(r"(?:Errno -?\d+\] |: )([^:()'\"\[\]]{4,})", str(error))
    return str(found[-1]).strip() if found else str(error) or type(error).__name__


def _authorities() -> str | bool:
    """As for every other download: the system's, and those of SSL_CERT_FILE."""
    paths = ssl.get_default_verify_paths()
    return os.environ.get("REQUESTS_CA_BUNDLE") or paths.cafile or paths.capath or True


def _configs() -> list[str]:
    """Where Docker and Podman keep what `login` was told, besides ~/.docker, which oras reads of itself."""
    places = [
        (os.environ.get("DOCKER_CONFIG"), "config.json"),
        (os.environ.get("XDG_RUNTIME_DIR"), "containers/auth.json"),
    ]
    files = [Path(folder) / name for folder, name in places if folder]
    return [str(file) for file in files if file.is_file()]


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
