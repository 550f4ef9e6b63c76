"""The one place that runs ssh. Host keys are pinned: nothing is trusted that was not recorded at creation."""

import fcntl
import os
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import SshTarget

CONNECT_TIMEOUT = 5  # seconds for one attempt
_POLL = 0.2  # seconds between attempts
_PERSIST = 60  # seconds that a connection stays open when nobody uses it
_WORDS = 10_000  # bytes of what a command says of its failure
_SSH_ITSELF = 255  # its exit code where the command never ran


def options(target: SshTarget) -> list[str]:
    """Options that reach exactly this machine, whatever the user's own ssh configuration says."""
    settings = {
        "IdentityFile": _path(target.identity_file),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": _path(target.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": target.host_key_alias or target.host,
        "BatchMode": "yes",
        "ConnectTimeout": str(CONNECT_TIMEOUT),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
    }
    if target.sockets:
        settings["ControlPath"] = _path(target.sockets / "%C")  # as in Ansible's configuration: both find the same
    return ["-F", "/dev/null", "-p", str(target.port), *(f"-o{key}={value}" for key, value in settings.items())]


def _path(path: Path) -> str:
    """As a value of ssh's configuration, where a space would end it."""
    return f'"{path}"'


def argv(target: SshTarget, remote: Sequence[str] = (), *, tty: bool = False) -> list[str]:
    """The full command line; `remote` is an argv and is quoted for the shell at the other end."""
    return [
        "ssh",
        *(["-t"] if tty else []),
        *options(target),
        f"{target.user}@{target.host}",
        "--",
        *map(shlex.quote, remote),
    ]


def run(target: SshTarget, remote: Sequence[str], *, timeout: float, stdin: str = "") -> str:
    """The standard output of a command on the machine.

    timeout: seconds. Raises OhmykubeError `ssh.failed` with the command's own words, or `ssh.unreachable`.
    """
    done = execute(target, remote, timeout=timeout, stdin=stdin.encode())
    if done.returncode:
        raise _failed(target, remote, done.returncode, done.stderr.strip() or done.stdout.strip())
    return done.stdout


def execute(
    target: SshTarget, remote: Sequence[str], *, timeout: float, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """A command on the machine, however it ends there.

    timeout: seconds. Raises OhmykubeError `ssh.unreachable` where it could not be run, or did not end in time.
    """
    try:
        done = subprocess.run(argv(target, remote), input=stdin, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise _unreachable(target, f"no answer within {timeout:.0f} s") from error
    stdout, stderr = (data.decode(errors="replace") for data in (done.stdout, done.stderr))
    if done.returncode == _SSH_ITSELF:
        raise _unreachable(target, stderr.strip())
    return subprocess.CompletedProcess(done.args, done.returncode, stdout, stderr)


def stream(target: SshTarget, remote: Sequence[str], take: Callable[[IO[bytes]], None], *, timeout: float) -> None:
    """Hand the output of a command to `take` while it comes, so that it may be of any length.

    timeout: seconds until it is ended. Raises as `run`.
    """
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            argv(target, remote), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words
        ) as process,
    ):
        late = threading.Timer(timeout, process.kill)
        late.start()
        try:
            assert process.stdout  # noqa: S101 - it is a pipe
            take(process.stdout)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            late.cancel()
        words.seek(0)
        stderr = words.read(_WORDS).decode(errors="replace").strip()
    if process.returncode < 0:
        raise _unreachable(target, f"no answer within {timeout:.0f} s")
    _judge(target, remote, process.returncode, stderr)


def wait(target: SshTarget, *, timeout: float, look: Callable[[], object] = lambda: None) -> None:
    """Return as soon as the machine answers ssh; `ssh.unreachable` after `timeout` seconds.

    A wrong key or a changed host key will not mend itself, so both end the wait at once. Where the target has sockets,
    the connection stays open for those who come later.
    look: called after each vain try, to raise what makes further ones useless.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            _log_in(target)
        except OhmykubeError as error:
            final = "Permission denied" in error.message or "Host key verification failed" in error.message
            if final or time.monotonic() > deadline:
                raise
            look()
            time.sleep(_POLL)
        else:
            return


def _log_in(target: SshTarget) -> None:
    stays = ["-oControlMaster=auto", f"-oControlPersist={_PERSIST}"] if target.sockets else []
    program, *words = argv(target, ["true"])
    with tempfile.TemporaryFile() as said:  # no pipe: a master of an ssh before 8.5 holds that open
        try:
            done = subprocess.run(
                [program, *stays, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=CONNECT_TIMEOUT * 2,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _unreachable(target, f"no answer within {CONNECT_TIMEOUT * 2} s") from error
        said.seek(0)
        stderr = said.read(_WORDS).decode(errors="replace").strip()
    _judge(target, ["true"], done.returncode, stderr)


def generate_key(path: Path, comment: str) -> None:
    """Make the key pair `path` and `path.pub`, once; the folder must exist."""
    if path.exists():
        return
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / "key"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(made)], check=True, timeout=30
        )
        made.with_suffix(".pub").rename(path.with_suffix(".pub"))
        made.rename(path)


def pin_host_key(known_hosts: Path, name: str, public_key: str) -> None:
    """Record the one host key of `name` (an address, or a host_key_alias), in place of any older one."""
    kind, key = public_key.split()[:2]
    _rewrite(known_hosts, name, [f"{name} {kind} {key}"])


def forget_host_key(known_hosts: Path, name: str) -> None:
    """Remove the host key of a machine that is gone."""
    if known_hosts.exists():
        _rewrite(known_hosts, name, [])


def scan_host_key(host: str, port: int, *, timeout: int = CONNECT_TIMEOUT) -> str:
    """The ed25519 host key that a machine shows now, as `type key`: trust on first use, for machines not made by us."""
    scan = ["ssh-keyscan", "-t", "ed25519", "-T", str(timeout), "-p", str(port), host]
    done = subprocess.run(scan, capture_output=True, text=True, timeout=timeout + 5, check=False)
    for line in done.stdout.splitlines():
        fields = line.split()
        if len(fields) == 3 and not line.startswith("#"):
            return f"{fields[1]} {fields[2]}"
    raise OhmykubeError(
        "ssh.unreachable",
        f"{host} port {port} does not answer ssh",
        hint="check the address, the port and any firewall between",
        context={"host": host, "port": port, "output": done.stderr.strip()},
    )


def _judge(target: SshTarget, remote: Sequence[str], code: int, words: str) -> None:
    """Raise what a command's end means, unless it went well."""
    if code == _SSH_ITSELF:
        raise _unreachable(target, words)
    if code:
        raise _failed(target, remote, code, words)


def _failed(target: SshTarget, remote: Sequence[str], code: int, words: str) -> OhmykubeError:
    return OhmykubeError(
        "ssh.failed",
        f"{remote[0]} failed on {target.host} with exit code {code}: {words}",
        context={"host": target.host, "command": shlex.join(remote), "output": words},
    )


def _unreachable(target: SshTarget, words: str) -> OhmykubeError:
    hint = "is it running? `ohmykube status` shows what the provider says of it"
    if "Permission denied" in words:
        hint = f"the key {target.identity_file} is not accepted for user {target.user}"
    elif "Host key verification failed" in words:
        hint = f"its host key is not the one pinned in {target.known_hosts}; was the machine replaced? Remove its line"
    return OhmykubeError(
        "ssh.unreachable",
        f"{target.host} port {target.port} cannot be reached by ssh: {words}",
        hint=hint,
        context={"host": target.host, "port": target.port, "user": target.user},
    )


def _rewrite(known_hosts: Path, name: str, lines: list[str]) -> None:
    with _locked(known_hosts):
        old = known_hosts.read_text().splitlines() if known_hosts.exists() else []
        kept = [line for line in old if line.split(" ", 1)[0] != name]
        made = known_hosts.with_name(f".{known_hosts.name}.new")
        with made.open("w") as file:
            file.write("".join(f"{line}\n" for line in [*kept, *lines]))
            file.flush()
            os.fsync(file.fileno())
        made.replace(known_hosts)


@contextmanager
def _locked(known_hosts: Path) -> Iterator[None]:
    """Machines are made in parallel and share the file."""
    with known_hosts.with_name(f".{known_hosts.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
