# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Scripts of somebody's that run once on a node: the sum of what succeeded is remembered, what it said is kept."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import script_sum
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

STATE = "/var/lib/ohmykube"
RECORD = f"{STATE}/hooks.json"
SCRIPTS = f"{STATE}/hooks"  # while they run; /run and /tmp may forbid programs
LOGS = "/var/log/ohmykube/hooks"
_LOCK_TIMEOUT = 60  # seconds that the hooks of another run may take to end
_LOOK = 0.5  # seconds between looks at whether somebody still waits for the script
_GRACE = 5  # seconds from SIGTERM to SIGKILL
_TAIL_LINES = 20
_TAIL = 4000  # characters


@dataclass(frozen=True)
class Hook:
    """moment: when it runs. timeout: seconds. Without a first line that names its interpreter it is for `sh -e`."""

    moment: str
    name: str
    script: str
    timeout: int

    @property
    def key(self) -> str:
        return f"{self.moment}/{self.name}"

    @property
    def log(self) -> str:
        return f"{LOGS}/{self.moment}-{self.name}.log"


def plan(host: Host, hooks: Sequence[Hook], environment: Mapping[str, str]) -> list[Change]:
    """Those that have not succeeded yet as they are now, in their order."""
    done = _read(host)
    return [
        Change(f"hook {hook.key}", "", f"run, output in {hook.log}\n", partial(_run, host, hook, environment))
        for hook in hooks
        if done.get(hook.key) != script_sum(hook.script)
    ]


def plan_absent(host: Host) -> list[Change]:
    """What is remembered and kept of hooks; what they did stays."""
    folders = [path for path in (SCRIPTS, LOGS) if host.path(path).is_dir()]
    changes = [Change(f"{path}/ removed", "", "", partial(shutil.rmtree, host.path(path))) for path in folders]
    if host.path(RECORD).exists():
        changes.append(Change(f"{RECORD} removed", "", "", host.path(RECORD).unlink))
    for path in (str(Path(LOGS).parent), STATE):
        if changes and host.path(path).is_dir():
            changes.append(Change(f"{path}/ removed if empty", "", "", partial(_rmdir, host.path(path))))
    return changes


@contextmanager
def alone(host: Host) -> Iterator[None]:
    """Hold the node's hooks, so that no script runs twice at once."""
    folder = host.path(LOGS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + _LOCK_TIMEOUT
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                hint = f"wait for its end; on the node, {LOGS} shows how far it is"
                raise OhmykubeError("hook.busy", "hooks of another run are still at work on this node", hint=hint)
            time.sleep(_LOOK)
        yield
    finally:
        os.close(descriptor)


def _run(host: Host, hook: Hook, environment: Mapping[str, str]) -> None:
    """One that dies, or is killed, is not remembered, whatever it was before."""
    done = {key: value for key, value in _read(host).items() if key != hook.key}
    _write(host, done)
    script = host.path(f"{SCRIPTS}/{hook.moment}-{hook.name}")
    script.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomic(script, hook.script.encode(), 0o700)
    argv = [str(script)] if hook.script.startswith("#!") else ["/bin/sh", "-e", str(script)]
    try:
        status = _execute(argv, environment, host.path(hook.log), hook.timeout)
    except TimeoutError as error:
        raise _failure(host, hook, f"did not end within {hook.timeout} s") from error
    except OSError as error:
        raise _failure(host, hook, f"could not be started: {error.strerror}") from error
    finally:
        script.unlink(missing_ok=True)
        _rmdir(script.parent)
    if status < 0:
        raise _failure(host, hook, f"was ended by {signal.Signals(-status).name}")
    if status:
        raise _failure(host, hook, f"failed with status {status}")
    _write(host, {**done, hook.key: script_sum(hook.script)})


def _execute(argv: Sequence[str], environment: Mapping[str, str], log: Path, timeout: float) -> int:
    """Its exit status, negative for a signal. TimeoutError where it takes too long; its children go with it then."""
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, **environment},
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(max(0, min(_LOOK, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                raise TimeoutError
            if _nobody_waits():
                raise OhmykubeError("hook.interrupted", "nobody waits for the hook any more")
    finally:
        if process.poll() is None:
            _end(process)


def _nobody_waits() -> bool:
    """Whether the reader of our answer has gone: sshd ends no program whose connection does."""
    poll = select.poll()
    poll.register(1, 0)
    return bool(poll.poll(0))


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return


def _failure(host: Host, hook: Hook, words: str) -> OhmykubeError:
    lines = (host.read(hook.log) or "").rstrip().splitlines()
    last = f": {lines[-1].strip()[-200:]}" if lines else ""
    return OhmykubeError(
        "hook.failed",
        f"the hook {hook.name} ({hook.moment}) {words}{last}",
        hint=f"all that it said is in {hook.log} on the node; mend it and run the same command again",
        context={"hook": hook.key, "path": hook.log, "output": "\n".join(lines[-_TAIL_LINES:])[-_TAIL:]},
    )


def _read(host: Host) -> dict[str, str]:
    """Sums by moment and name."""
    text = host.read(RECORD)
    return dict(json.loads(text)) if text else {}


def _write(host: Host, done: Mapping[str, str]) -> None:
    write_atomic(host.path(RECORD), f"{json.dumps(done, indent=1, sort_keys=True)}\n".encode(), 0o600)


def _rmdir(path: Path) -> None:
    with suppress(OSError):  # others are in it
        path.rmdir()
