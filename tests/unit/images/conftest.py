"""One registry for all tests of a worker; each test pushes to repositories of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.images.registry import PROGRAM, Registry, serve


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if PROGRAM is None:
        pytest.skip("docker-registry is not installed")
    with serve(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(autouse=True)
def nobodys_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who has never logged in anywhere, and goes through no proxy."""
    for name in ("DOCKER_CONFIG", "XDG_RUNTIME_DIR", "http_proxy", "HTTP_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "user"
