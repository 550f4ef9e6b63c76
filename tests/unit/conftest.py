"""What every unit test gets: a home of its own, no colour, a fixed width; and, on request, a private sshd."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import charts
from tests.unit.sshd import SSHD, Sshd, serve

# Examples are as slow as the computer is busy. All else is as Hypothesis has it here, or in CI.
settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary OHMYKUBE_HOME; nothing that the developer's shell says about ohmykube is heard."""
    for name in [name for name in os.environ if name.startswith("OHMYKUBE_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "home"
    monkeypatch.setenv("OHMYKUBE_HOME", str(path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    return path


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("sshd is not installed")
    folder = tmp_path / "sshd"
    folder.mkdir()
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="session")
def helm() -> Path:
    return charts.helm()
