"""The node's end, where tools, files and the system do not do what they should."""

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import receiver as module
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload

from tests.unit.distribute.archives import Receiver, image


@pytest.mark.parametrize(
    ("name", "script", "code"),
    [
        ("tar", "cat >/dev/null; echo 'tar: x: Cannot write: No space left on device' >&2; exit 2", "node.disk-full"),
        ("tar", "cat >/dev/null; echo 'tar: x: Wrote only 512 of 10240 bytes' >&2; exit 2", "node.disk-full"),
        ("zstd", "echo 'zstd: broken' >&2; exit 1", "node.unpack-failed"),
    ],
)
def test_a_tool_that_fails_is_quoted(receiver: Receiver, tool: Payload, name: str, script: str, code: str) -> None:
    receiver.tool(name, f"#!/bin/sh\n{script}\n")
    with pytest.raises(OhmykubeError) as caught:
        receiver.receive(tool)
    assert caught.value.code == code
    assert receiver.files == {}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("failed to copy: write: no space left on device", "node.disk-full"),
        ("dial unix /run/containerd/containerd.sock: connect: no such file", "node.containerd-down"),
        ("archive/tar: invalid tar header", "node.import-failed"),
    ],
)
def test_containerds_refusal_is_an_error(receiver: Receiver, tmp_path: Path, words: str, code: str) -> None:
    receiver.tool("ctr", f"#!/bin/sh\necho 'ctr: {words}' >&2; exit 1\n")
    with pytest.raises(OhmykubeError) as caught:
        receiver.receive(image(tmp_path, "reg.io/a:1"))
    assert caught.value.code == code


@pytest.mark.parametrize(("kind", "name"), [("package", "zstd"), ("image", "ctr")])
def test_a_missing_tool_is_named(
    kind: str, name: str, tool: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    request = {"operation": "receive", "root": str(tmp_path / "n"), "payloads": [replace(tool, kind=kind).manifest()]}
    with tool.path.open("rb") as stream:
        error = module.answer(request, stream)["error"]
    assert error["code"] == f"node.{name}-missing"
    assert "on the node:" in error["hint"]
    assert module.loaded_images() == {}


def test_a_record_that_cannot_be_read_is_an_error_with_a_way_out(receiver: Receiver) -> None:
    record = receiver.root / "var/lib/ohmykube/payloads.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")
    with pytest.raises(OhmykubeError) as caught:
        receiver.probe()
    assert caught.value.code == "node.record-corrupt"
    assert str(record) in caught.value.hint


def test_what_the_system_refuses_is_an_error(receiver: Receiver, tool: Payload) -> None:
    (receiver.root / "usr/local/bin/tool/child").mkdir(parents=True)
    with pytest.raises(OhmykubeError, match="tool") as caught:
        receiver.receive(tool)
    assert caught.value.code == "node.failed"
