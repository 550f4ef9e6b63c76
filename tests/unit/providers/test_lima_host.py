"""Whether this computer can run machines by Lima: asked of the devices and programs themselves."""

import os
import platform
import sys
from pathlib import Path

import pytest

from ohmykube.providers.base import MachineSpec
from ohmykube.providers.lima import host

GIB = 2**30
TOOLS = ("ssh", "ssh-keygen", "qemu-img", f"qemu-system-{platform.machine()}")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the questions of Linux")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with all that Lima needs, none of which does anything."""
    for name in TOOLS:
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv(f"QEMU_SYSTEM_{platform.machine().upper()}", raising=False)
    return tmp_path


def emulate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"QEMU_SYSTEM_{platform.machine().upper()}", f"{TOOLS[-1]} -accel tcg,thread=multi -cpu max")


def test_root_is_refused(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "root" in host.unusable()


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_missing_is_named_with_the_package(tools: Path, tool: str) -> None:
    (tools / tool).unlink()
    assert tool in host.unusable()
    assert "apt-get install" in host.unusable()


def test_whoever_asks_qemu_to_emulate_needs_no_kvm(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch)
    assert host.unusable() == ""
    assert host.kvm_problem(tools / "kvm") == ""


def test_another_system_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert "do not run on" in host.unusable()


def test_a_mac_needs_no_qemu(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in TOOLS[2:]:
        (tools / tool).unlink()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert host.unusable() == ""
    (tools / "ssh").unlink()
    assert host.unusable() == "ssh must be installed"


def test_kvm_that_is_missing_or_no_kvm(tools: Path) -> None:
    assert "is missing" in host.kvm_problem(tools / "none")
    device = tools / "kvm"
    device.touch()
    assert "makes no virtual machine" in host.kvm_problem(device)
    assert "cannot be opened" in host.kvm_problem(tools)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_kvm_that_may_not_be_opened(tools: Path) -> None:
    device = tools / "kvm"
    device.touch(mode=0o400)
    assert "usermod -aG kvm" in host.kvm_problem(device)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cat >/dev/null", ""),
        ("echo 'failed to set MSR 0x10a' >&2; kill -ABRT $$", "failed to set MSR 0x10a"),
        ("exit 3", "it ended with 3"),
    ],
)
def test_kvm_is_believed_only_when_qemu_gets_a_cpu_from_it(
    tools: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    """There are kinds of KVM that make a virtual machine and then fail to give it a CPU."""
    (tools / TOOLS[-1]).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    answers = iter([12, os.dup(0)])  # the version, a machine
    monkeypatch.setattr(host.fcntl, "ioctl", lambda *_: next(answers))
    problem = host.kvm_problem(Path("/dev/null"))
    assert problem == "" if not words else words in problem


def test_an_unknown_kvm(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.fcntl, "ioctl", lambda *_: 11)
    assert "another version" in host.kvm_problem(Path("/dev/null"))


def machine(name: str, memory: int = GIB, disk: int = GIB) -> MachineSpec:
    return MachineSpec(name, "worker", "worker", cpu=1, memory=memory, disk=disk)


def test_names_that_lima_does_not_take(tmp_path: Path) -> None:
    names = ["a--b-worker-1", f"{'x' * 77}", "dev-worker-1"]
    problems = host.preflight([machine(name) for name in names], [], tmp_path)
    assert [(problem.code, problem.context["machine"]) for problem in problems] == [("lima.name", n) for n in names[:2]]


def test_memory_and_disk_that_this_computer_does_not_have(tmp_path: Path) -> None:
    many = [machine(f"dev-worker-{number}", memory=2**45, disk=2**50) for number in range(2**14)]
    assert [problem.code for problem in host.preflight(many, [], tmp_path)] == ["lima.memory", "lima.disk"]
    there = {wanted.name for wanted in many}
    assert [problem.code for problem in host.preflight(many, there, tmp_path / "not" / "yet")] == ["lima.memory"]


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    short, deep = Path("/h/lima/a"), Path("/" + "d" * 120)
    assert host.socket_problems([short]) == []
    [problem] = host.socket_problems([short, deep])
    assert (problem.code, problem.exit_code) == ("lima.path-too-long", 2)
    assert "14 bytes too long" in problem.message
