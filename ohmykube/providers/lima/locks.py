"""Locks between the processes and threads that share our LIMA_HOME."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohmykube.errors import OhmykubeError

_POLL = 0.05  # seconds
TIMEOUT = 900.0  # seconds; as long as other clusters may take to stop their machines


@contextmanager
def hold(path: Path, *, shared: bool = False, timeout: float = TIMEOUT) -> Iterator[None]:
    """Hold the lock at `path`, alone or with others that share it. Raises `lima.locked` after `timeout` seconds."""
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + timeout
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, operation)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OhmykubeError(
                        "lima.locked",
                        f"another ohmykube has been starting or stopping machines for {timeout:.0f} s",
                        hint="wait for it to finish, or end that process, and try again",
                        context={"lock": path},
                    ) from None
                time.sleep(_POLL)
        yield
