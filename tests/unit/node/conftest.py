"""One machine a test."""

from pathlib import Path

import pytest

import ohmykube  # noqa: F401 - makes the collection importable
from tests.unit.node.machine import Machine, ready_machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return ready_machine(tmp_path / "root")
