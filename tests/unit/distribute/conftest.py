"""A node in a directory."""

from pathlib import Path

import pytest

import ohmykube  # noqa: F401 - makes the collection importable
from tests.unit.distribute.archives import FAKE_CTR, NOISE, Receiver, package

from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload  # isort: skip


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    node = Receiver(tmp_path / "node", tmp_path / "tools", tmp_path / "images")
    node.root.mkdir()
    node.bin.mkdir()
    node.store.touch()
    node.tool("ctr", FAKE_CTR.replace("STORE", str(node.store)))
    return node


@pytest.fixture
def tool(tmp_path: Path) -> Payload:
    files: dict[str, bytes | str] = {
        "usr/": "",
        "usr/local/": "",
        "usr/local/bin/": "",
        "usr/local/bin/tool": b"one" + NOISE,
        "usr/local/bin/t": "tool",
        "opt/deep/file": b"x",
    }
    return package(tmp_path, "tool", "v1.0.0", files)
