"""Where ssh's masters of one run are reached: a folder with a short path, as a socket's may have 104 bytes."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmykube.errors import OhmykubeError

_CLOSE_TIMEOUT = 10  # seconds for a master to end


@contextmanager
def sockets(cluster: Path) -> Iterator[Path]:
    """The folder of a cluster, for this user alone; afterwards it is gone, and so are the masters.

    Always the same one: what a killed run left there, the next run on the cluster takes away. cluster: its folder.
    """
    folder = Path(tempfile.gettempdir()) / f"omk-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:12]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) != 0o700 or not stat.S_ISDIR(seen.st_mode):
        raise OhmykubeError(
            "ssh.sockets",
            f"{folder} belongs to somebody else, or others may write to it",
            hint=f"remove it, or set TMPDIR to a folder of yours, and run the same command again: rm -r {folder}",
            context={"path": folder},
        )
    try:
        yield folder
    finally:
        _close(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _close(folder: Path) -> None:
    """End the masters that Ansible keeps for the next task: nothing of ours runs when a verb is done."""
    for socket in folder.iterdir():
        subprocess.run(
            ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "-"],
            capture_output=True,
            timeout=_CLOSE_TIMEOUT,
            check=False,
        )
