"""An sshd of one test alone: what runs over ssh is tested against the real thing."""

import getpass
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE, soon

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True)
class Sshd:
    """Listens on 127.0.0.1 and 127.0.0.2 and lets the current user in with `key`."""

    port: int
    user: str
    key: Path
    wrong_key: Path
    host_key: str  # `type key`
    replace_host_key: Callable[[], None]  # as if the machine had been installed anew
    path: Path  # the folder that is PATH for what runs over ssh, once it exists


@contextmanager
def serve(folder: Path) -> Iterator[Sshd]:
    """Run it until the end of the context; all that it needs lies in `folder`."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's privilege separation insists on it
    for name in ["host_key", "new_host_key", "key", "wrong_key"]:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=30)
    port = _free_port()
    path = folder / "bin"
    run = folder / "run"
    run.write_text(f'#!/bin/sh\n[ -d {path} ] && export PATH={path}\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')
    run.chmod(0o755)
    process = _start(folder, port)

    def replace_host_key() -> None:
        nonlocal process
        _end(process)
        for suffix in ("", ".pub"):
            (folder / f"new_host_key{suffix}").replace(folder / f"host_key{suffix}")
        process = _start(folder, port)

    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    try:
        yield Sshd(port, getpass.getuser(), folder / "key", folder / "wrong_key", host_key, replace_host_key, path)
    finally:
        _end(process)


def _free_port() -> int:
    """Below those that the kernel gives to clients: a server that starts again must not find its port taken by one."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    config = folder / "config"
    config.write_text(
        f"""
        Port {port}
        ListenAddress 127.0.0.1
        ListenAddress 127.0.0.2
        HostKey {folder}/host_key
        AuthorizedKeysFile {folder}/key.pub
        ForceCommand {folder}/run
        PidFile none
        UsePAM no
        StrictModes no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        PermitRootLogin prohibit-password
        """
    )
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL)
    if soon(lambda: _answers(port) or process.poll() is not None) and process.poll() is None:
        return process
    _end(process)
    raise RuntimeError((folder / "log").read_text())


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.2", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=PATIENCE)
