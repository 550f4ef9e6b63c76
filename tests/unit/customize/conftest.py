"""One machine a test, whose files are the test's own user's."""

from pathlib import Path

import pytest

import ohmykube  # noqa: F401 - makes the collection importable
from tests.unit.node.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root = tmp_path / "root"
    for folder in ("etc", "var/lib", "var/log"):
        (root / folder).mkdir(parents=True)
    return Machine(root)
