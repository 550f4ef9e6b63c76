"""Where ssh's masters are reached while a verb works on a cluster: each machine is logged in to once, whoever asks."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ohmykube.errors import OhmykubeError

_CLOSE_TIMEOUT = 10  # seconds for a master to end
_LONGEST = 104 - 41 - 17  # bytes: some systems end a socket's path there; ssh's name for it, and while it is made


def place(cluster: Path) -> Path:
    """The folder of a cluster's sockets, always the same. cluster: its folder."""
    name = f"omk-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    return folder if len(os.fsencode(folder)) <= _LONGEST else Path("/tmp") / name  # noqa: S108 - it is short


@contextmanager
def opened(cluster: Path) -> Iterator[None]:
    """Have that folder, for this user alone; afterwards it is gone, and so are the masters.

    What a killed verb left there is taken away first. Raises OhmykubeError `ssh.sockets`.
    """
    folder = place(cluster)
    _make(folder)
    _close(folder)
    try:
        yield
    finally:
        _close(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) != 0o700 or not stat.S_ISDIR(seen.st_mode):
        raise OhmykubeError(
            "ssh.sockets",
            f"{folder} belongs to somebody else, or others may write to it",
            hint=f"remove it, or set TMPDIR to a folder of yours, and run the same command again: rm -r {folder}",
            context={"path": folder},
        )


def _close(folder: Path) -> None:
    """End the masters: nothing of ours runs when a verb is done, and no later machine is taken for an earlier one."""
    for socket in list(folder.iterdir()):
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["ssh", "-F", "/dev/null", f'-oControlPath="{socket}"', "-O", "exit", "any"],
                capture_output=True,
                timeout=_CLOSE_TIMEOUT,
                check=False,
            )
        socket.unlink(missing_ok=True)
