"""Locks between processes. The kernel drops them when the holder dies, however it dies."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ohmykube.errors import OhmykubeError

_POLL = 0.1  # seconds
_UNNAMED = 1.0  # seconds that a holder may take until it has written who it is
_SOMEBODY = "another process"


@contextmanager
def hold(path: Path, verb: str, *, timeout: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at `path`, waiting up to `timeout` seconds for another holder.

    The holder may remove the file's folder (`down` does); the folder is made anew for the next one.
    waiting: told once, in words, who holds it. Raises OhmykubeError `cluster.locked` after the time.
    """
    began = time.monotonic()
    told = False
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a+") as file:
            if _take(file, path):
                file.seek(0)
                file.truncate()
                json.dump({"pid": os.getpid(), "verb": verb}, file)
                file.flush()
                try:
                    yield
                finally:
                    file.truncate(0)  # the next holder is not taken for this one
                return
        waited, named = time.monotonic() - began, _holder(path)
        if not told and (named or waited > _UNNAMED):
            waiting(named or _SOMEBODY)
            told = True
        if waited > timeout:
            raise OhmykubeError(
                "cluster.locked",
                f"{path.parent.name} is held by {named or _SOMEBODY}",
                hint="wait for it to finish, or end that process, and try again",
                context={"lock": path},
            )
        time.sleep(_POLL)


def holder(path: Path) -> str:
    """Who holds it now, in words; empty where nobody does."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return ""
    except BlockingIOError:
        return _holder(path) or _SOMEBODY
    return ""


def _take(file: IO[str], path: Path) -> bool:
    """Lock it, unless another has it or the file went away from below us."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def _holder(path: Path) -> str:
    """As it calls itself; empty while it has not yet written that."""
    try:
        holder = json.loads(path.read_text())
        return f"`ohmykube {holder['verb']}` (process {holder['pid']})"
    except (OSError, ValueError, KeyError):
        return ""
