"""What is read on the controller: small files and folders of them, and what is no such thing is named."""

import os
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import (
    LARGEST,
    Source,
    read,
    read_script,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError


def test_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"\xff")
    source = read(tmp_path)
    assert source == Source({"a/x": (b"\xff", False)}, ("", "a"))
    assert Source.from_data(source.as_data()) == source
    before = source.sum
    (tmp_path / "a" / "x").chmod(0o755)
    assert read(tmp_path).sum != before


def test_what_is_no_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGEST + 1))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "link").symlink_to("nowhere")
    (tmp_path / "many").mkdir()
    for number in range(9):
        (tmp_path / "many" / str(number)).write_bytes(bytes(LARGEST))
    for name, code in {
        "none": "source.missing",
        "large": "source.too-large",
        "many": "source.too-large",
        "pipe": "source.kind",
        "linked": "source.kind",
        "broken": "source.missing",
    }.items():
        with pytest.raises(OhmykubeError, match=name) as caught:
            read(tmp_path / name)
        assert caught.value.code == code


def test_a_script_is_text(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo ä\n")
    assert read_script(tmp_path / "script") == "echo ä\n"
    (tmp_path / "program").write_bytes(b"\x7fELF\xff")
    with pytest.raises(OhmykubeError, match="no text"):
        read_script(tmp_path / "program")
    with pytest.raises(OhmykubeError, match="is no file"):
        read_script(tmp_path)
