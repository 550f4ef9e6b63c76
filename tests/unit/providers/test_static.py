"""The static provider against a private sshd: two addresses of the loopback are two hosts."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec, Provider, ProviderContext
from ohmykube.providers.static import StaticProvider
from tests.unit.sshd import Sshd

Make = Callable[..., StaticProvider]


def _host(name: str, address: str) -> MachineSpec:
    return MachineSpec(name, "worker", "worker", cpu=0, memory=0, disk=0, address=address)


CP = _host("cp1", "127.0.0.1")
WORKER = _host("w1", "127.0.0.2")
ORDINARY = {"python3": "exit 0", "id": "echo 1000", "sudo": "exit 0"}


@pytest.fixture
def make(sshd: Sshd, tmp_path: Path) -> Make:
    """A provider of two hosts with an ordinary user, whoever runs the tests; `changes` go into its ssh settings."""
    _install(sshd, **ORDINARY)

    def provider(*hosts: MachineSpec, **changes: object) -> StaticProvider:
        return StaticProvider(
            ProviderContext(
                cluster="dev",
                directory=tmp_path,
                home=tmp_path,
                identity_file=tmp_path / "unused",
                known_hosts=tmp_path / "known_hosts",
                hosts=hosts or (WORKER, CP),
                ssh={"user": sshd.user, "port": sshd.port, "identityFile": str(sshd.key), **changes},
            )
        )

    return provider


def _install(sshd: Sshd, **tools: str) -> None:
    """All that the hosts have in their PATH; each tool is the body of a shell script."""
    shutil.rmtree(sshd.path, ignore_errors=True)
    sshd.path.mkdir()
    for name, body in tools.items():
        (sshd.path / name).write_text(f"#!/bin/sh\n{body}\n")
        (sshd.path / name).chmod(0o755)
    (sshd.path / "sh").symlink_to("/bin/sh")


def test_it_is_a_provider_that_owns_no_machines(make: Make) -> None:
    provider: Provider = make()
    assert provider.name == "static"
    assert not provider.owns_machines
    assert provider.unusable() == ""
    assert provider.address_pool() == provider.api_address() == ""
    assert provider.reach("192.0.2.9", 6443) == "192.0.2.9:6443"
    assert provider.variables("cp1") == {}


def test_hosts_are_taken_in_and_let_go(make: Make, sshd: Sshd, tmp_path: Path) -> None:
    provider = make()
    assert provider.preflight([CP, WORKER]) == []
    assert provider.machines() == []
    provider.prepare()
    for host in (CP, WORKER):
        provider.create(host)
        provider.start(host.name)

    seen = provider.machines()

    assert [(m.name, m.status, m.address, m.detail) for m in seen] == [
        ("cp1", "running", "127.0.0.1", ""),
        ("w1", "running", "127.0.0.2", ""),
    ]
    assert seen[0].ssh is not None
    assert seen[0].ssh.port == sshd.port
    assert (tmp_path / "known_hosts").read_text().splitlines() == [
        f"127.0.0.1 {sshd.host_key}",
        f"127.0.0.2 {sshd.host_key}",
    ]

    provider.delete("cp1")
    provider.delete("cp1")
    provider.delete("never-there")

    assert [machine.name for machine in provider.machines()] == ["w1"]
    provider.delete("w1")
    provider.cleanup()
    assert (tmp_path / "known_hosts").read_text() == ""


def test_taking_in_again_changes_nothing(make: Make, tmp_path: Path) -> None:
    make().create(CP)
    first = (tmp_path / "known_hosts").stat()
    make().create(CP)
    assert (tmp_path / "known_hosts").stat().st_ino == first.st_ino


def test_a_machine_of_the_user_is_not_switched_off(make: Make) -> None:
    with pytest.raises(OhmykubeError, match="machine of your own") as caught:
        make().stop("cp1")
    assert caught.value.code == "static.stop"
    with pytest.raises(OhmykubeError, match="no switch for its power") as caught:
        make().cut_power("cp1")
    assert caught.value.code == "static.power"


def test_a_changed_host_key_is_refused_everywhere(make: Make, sshd: Sshd) -> None:
    provider = make()
    provider.create(CP)
    sshd.replace_host_key()

    problems = provider.preflight([CP])
    with pytest.raises(OhmykubeError, match="Host key verification failed"):
        provider.create(CP)

    assert [problem.code for problem in problems] == ["ssh.unreachable"]
    assert "was the machine replaced?" in problems[0].hint
    (machine,) = provider.machines()
    assert machine.status == "broken"
    assert "Host key verification failed" in machine.detail


def test_a_key_that_is_not_accepted(make: Make, sshd: Sshd, tmp_path: Path) -> None:
    problems = make(identityFile=str(sshd.wrong_key)).preflight([CP])
    assert [problem.code for problem in problems] == ["ssh.unreachable"]
    assert f"{sshd.wrong_key} is not accepted for user {sshd.user}" in problems[0].hint
    assert not (tmp_path / "known_hosts").exists()


def test_every_problem_is_found_at_once(make: Make) -> None:
    hosts = [CP, _host("closed", "127.0.0.3"), _host("typo", "no-such-host.invalid"), _host("twin", "127.0.0.1")]
    problems = make().preflight(hosts)
    assert [problem.code for problem in problems] == [
        "static.address.duplicate",
        "static.host.unreachable",
        "static.host.unknown",
    ]
    duplicate, closed, unknown = problems
    assert duplicate.message == "127.0.0.1 is the address of cp1 and twin"
    assert duplicate.exit_code == 2
    assert "127.0.0.3 port" in closed.message
    assert "refused" in closed.message
    assert "no-such-host.invalid is unknown" in unknown.message


def test_a_host_without_what_the_roles_need(make: Make, sshd: Sshd) -> None:
    _install(sshd, id="echo 1000")
    provider = make()
    problems = provider.preflight([CP])
    with pytest.raises(OhmykubeError, match="no python3"):
        provider.create(CP)
    assert [problem.code for problem in problems] == ["static.host.no-python3", "static.host.no-sudo"]
    assert all("cp1 (127.0.0.1)" in problem.message for problem in problems)


def test_a_sudo_that_asks_for_a_password(make: Make, sshd: Sshd) -> None:
    _install(sshd, **{**ORDINARY, "sudo": "exit 1"})
    (problem,) = make().preflight([CP])
    assert problem.code == "static.host.sudo-asks"
    assert "NOPASSWD" in problem.hint


def test_a_host_of_somebody_else_is_refused(make: Make, sshd: Sshd, tmp_path: Path) -> None:
    """What it runs would be lost. One that was taken in before is ours, whatever is on it by now."""
    _install(sshd, **ORDINARY, ls="echo /var/lib/ohmykube; echo /run/containerd/containerd.sock")
    (problem,) = make().preflight([CP])
    assert problem.code == "static.host.occupied"
    assert "it has /var/lib/ohmykube" in problem.message
    assert "`ohmykube down --name NAME`" in problem.hint
    assert not (tmp_path / "known_hosts").exists()

    make().create(CP)
    assert make().preflight([CP]) == []


def test_ports_that_somebody_listens_on_are_named(make: Make, sshd: Sshd) -> None:
    """192B is 6443, which is listened on; 280A is 10250, of which there is a connection."""
    table = ["sl local rem st", "0: 00000000:192B 00000000:0000 0A", "1: 0100007F:280A 0100007F:1F90 01"]
    _install(sshd, **ORDINARY, cat="\n".join(f"echo '{row}'" for row in table))
    (problem,) = make().preflight([replace(CP, role="control-plane")])
    assert problem.code == "static.port.used"
    assert "port 6443 of cp1 (127.0.0.1) is in use" in problem.message
    assert "ss -ltnp" in problem.hint
    assert make().preflight([CP]) == []  # a worker wants 10250 alone


def test_root_needs_no_sudo(make: Make, sshd: Sshd) -> None:
    _install(sshd, python3="exit 0", id="echo 0")
    assert make().preflight([CP]) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda key: key.unlink(), "static.key.missing"),
        (lambda key: key.chmod(0o644), "static.key.mode"),
        (lambda key: (key.unlink(), key.mkdir()), "static.key.unreadable"),
    ],
)
def test_a_key_that_ssh_would_refuse(make: Make, sshd: Sshd, change: Callable[[Path], object], code: str) -> None:
    change(sshd.key)
    (problem,) = make().preflight([CP, WORKER])
    assert problem.code == code
    assert str(sshd.key) in problem.message
    assert problem.hint


def test_the_key_is_found_below_the_home_of_the_user(make: Make, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(sshd.key.parent))
    provider = make(identityFile="~/key")
    provider.create(CP)
    (machine,) = provider.machines()
    assert machine.ssh is not None
    assert machine.ssh == replace(machine.ssh, identity_file=sshd.key)
