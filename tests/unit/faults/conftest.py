"""One machine a test, whose clock is right by what the kernel says of its start."""

from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import clock

import ohmykube  # noqa: F401 - makes the collection importable
from tests.unit.faults.node import Node


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path / "root")
    monkeypatch.setattr(clock.time, "time", lambda: made.now + made.clock)  # it started at 0
    return made
