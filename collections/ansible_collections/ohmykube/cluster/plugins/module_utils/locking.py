# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Locks between threads and processes. The kernel drops them when the holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

_POLL = 0.05  # seconds


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock file `path`, waiting up to `seconds` for another holder (OhmykubeError `cache.locked`).

    The holder may remove the file: whoever waited for it takes the one that is there then.
    """
    deadline = time.monotonic() + seconds
    while (descriptor := _take(path)) is None:
        if time.monotonic() > deadline:
            raise _held(path, seconds)
        time.sleep(_POLL)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written: each `x.new` is written by the holder of `x.lock`."""
    for new in folder.glob("*.new"):
        try:
            with locked(new.with_suffix(".lock"), 0):
                remove(new)
        except OhmykubeError:  # somebody is writing it
            continue


def remove(path: Path) -> None:
    """A file, or a folder with what is in it; fine where it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _take(path: Path) -> int | None:
    """The descriptor that holds the lock; None where somebody else does."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        os.close(descriptor)  # its holder has removed it meanwhile


def _held(path: Path, seconds: float) -> OhmykubeError:
    try:
        holder = path.read_text() or "unknown"
    except FileNotFoundError:
        holder = "unknown"
    return OhmykubeError(
        "cache.locked",
        f"Another process (number {holder}) has held {path} for more than {seconds:.0f} seconds.",
        hint="Wait for it to finish, or end it, and try again.",
        context={"path": path},
    )
