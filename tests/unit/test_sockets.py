"""One connection to a machine for a whole verb, against a private sshd: who uses it, and what is left of it."""

import os
import re
import signal
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from ohmykube import sockets, ssh
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import SshTarget
from tests.patience import FOREVER, PATIENCE, soon
from tests.unit.sshd import Sshd


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    return tmp_path / "clusters/dev"


@pytest.fixture
def target(sshd: Sshd, tmp_path: Path, cluster: Path) -> SshTarget:
    known_hosts = tmp_path / "known_hosts"
    ssh.pin_host_key(known_hosts, "node-1", sshd.host_key)
    return SshTarget("127.0.0.1", sshd.user, sshd.key, known_hosts, sshd.port, "node-1", sockets.place(cluster))


def session(target: SshTarget) -> str:
    """The process of sshd that serves a command, and so the login that it belongs to."""
    return ssh.run(target, ["sh", "-c", "ps -o ppid= -p $PPID"], timeout=PATIENCE).strip()


def master(socket: Path) -> int:
    """The process behind a socket."""
    check = ["ssh", "-F", "/dev/null", f"-oControlPath={socket}", "-O", "check", "any"]
    said = subprocess.run(check, capture_output=True, text=True, timeout=PATIENCE, check=True).stderr
    return int(re.findall(r"pid=(\d+)", said)[0])


def gone(process: int) -> bool:
    """Whether it ends, having been told to."""
    return soon(lambda: not Path(f"/proc/{process}").exists())


def test_whoever_comes_later_uses_the_first_login(target: SshTarget, cluster: Path) -> None:
    with sockets.opened(cluster):
        assert session(target) != session(target)  # nobody has waited for the machine: no connection is kept
        ssh.wait(target, timeout=PATIENCE)
        assert session(target) == session(target)
        assert session(replace(target, sockets=None)) != session(target)
        (socket,) = sockets.place(cluster).iterdir()
        serving = master(socket)
        assert ssh.run(target, ["cat"], timeout=PATIENCE, stdin="a b\n") == "a b\n"
    assert not sockets.place(cluster).exists()
    assert gone(serving)
    assert session(target) != session(target)


def test_a_login_of_a_killed_verb_serves_nobody(target: SshTarget, cluster: Path) -> None:
    sockets.place(cluster).mkdir(mode=0o700)
    ssh.wait(target, timeout=PATIENCE)
    (socket,) = sockets.place(cluster).iterdir()
    serving, before = master(socket), session(target)
    with sockets.opened(cluster):
        assert not list(sockets.place(cluster).iterdir())
        assert gone(serving)
        ssh.wait(target, timeout=PATIENCE)
        assert session(target) != before


def test_a_socket_without_a_master_holds_nobody_up(target: SshTarget, cluster: Path) -> None:
    with sockets.opened(cluster):
        ssh.wait(target, timeout=PATIENCE)
        (socket,) = sockets.place(cluster).iterdir()
        os.kill(master(socket), signal.SIGKILL)
        assert socket.exists()
        assert ssh.run(target, ["echo", "here"], timeout=PATIENCE) == "here\n"
        ssh.wait(target, timeout=PATIENCE)
        assert session(target) == session(target)


def test_waiting_tells_what_is_wrong_with_sockets_too(target: SshTarget, cluster: Path, sshd: Sshd) -> None:
    with sockets.opened(cluster), pytest.raises(OhmykubeError, match="Permission denied"):
        ssh.wait(replace(target, identity_file=sshd.wrong_key), timeout=FOREVER)


def test_sockets_fit_wherever_temporary_files_are(
    target: SshTarget, cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with sockets.opened(cluster):
        there = replace(target, sockets=sockets.place(cluster))
        ssh.wait(there, timeout=PATIENCE)
        assert session(there) == session(there)


def test_a_folder_that_others_may_write_to_is_refused(cluster: Path) -> None:
    folder = sockets.place(cluster)
    folder.mkdir()
    folder.chmod(0o777)
    try:
        with pytest.raises(OhmykubeError, match="others may write") as caught, sockets.opened(cluster):
            pass
    finally:
        folder.rmdir()
    assert caught.value.code == "ssh.sockets"
