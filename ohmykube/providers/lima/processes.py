"""What Lima's pid files really point at.

Lima believes a pid file whose process is alive. After a crash or a reboot that process can be anybody's: a start then
refuses, a network is taken for running, and a forced stop or a delete would kill a stranger (lima#5075).
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

_POLL = 0.1  # seconds


def clear_stale(directory: Path) -> None:
    """Remove the pid files of an instance or network whose process is not its own; with the last one, its sockets."""
    alive = False
    for file in directory.glob("*.pid"):
        if _pid(file):
            alive = True
        else:
            file.unlink(missing_ok=True)
    if not alive:
        for socket in directory.glob("*.sock"):
            socket.unlink(missing_ok=True)


def end(pid_file: Path, *, timeout: float) -> None:
    """End the process of a pid file, kindly first, if it really is the one; by force after `timeout` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = _pid(pid_file)
        if not pid:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + timeout
        while _pid(pid_file) and time.monotonic() < deadline:
            time.sleep(_POLL)


def _pid(file: Path) -> int:
    """The living process of a pid file; 0 where it is gone or another's. Lima's own name their folder in their argv."""
    try:
        pid = int(file.read_text())
    except (OSError, ValueError):
        return 0
    return pid if f"{file.parent}/" in _command_line(pid) else 0


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return ""
    done = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
    )
    return done.stdout
