"""A computer with Lima, for the tests of its provider."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from ohmykube.providers.lima import host, power
from tests.unit.providers.lima_lab import STUB, Lab


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    root = Path(tempfile.mkdtemp(prefix="omk-", dir="/tmp"))  # short: socket paths are limited
    tools, stub, home = root / "bin", root / "stub", root / "home"
    for folder in (tools, stub, home):
        folder.mkdir()
    limactl = tools / "limactl"
    modules = Path(yaml.__file__).parent.parent
    limactl.write_text(f'#!/bin/sh\nPYTHONPATH={modules} exec {sys.executable} -S {STUB} "$@"\n')
    fake_ssh = tools / "ssh"
    fake_ssh.write_text(f'#!/bin/sh\necho "$@" >>{stub}/ssh.calls\n[ -e {stub}/ssh ] && . {stub}/ssh\nexit 0\n')
    for tool in (limactl, fake_ssh):
        tool.chmod(0o755)
    (home / "image").write_bytes(b"an image")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("LIMACTL_STUB", str(stub))
    monkeypatch.setattr(host, "unusable", lambda: "")
    for name, seconds in {"_LOOK_AGAIN": 0.05, "_POLL": 0.1, "_GRACE": 30.0, "_STOP_TIMEOUT": 1.0}.items():
        monkeypatch.setattr(power, name, seconds)
    yield Lab(home, stub)
    for file in root.rglob("*.pid"):
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(file.read_text()), signal.SIGKILL)
    shutil.rmtree(root)
