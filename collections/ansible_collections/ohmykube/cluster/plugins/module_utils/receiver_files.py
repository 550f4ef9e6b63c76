# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A package's files: unpacked aside, told apart, and moved to their places.

Part of the receiver (receiver.py): standard library only.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.receiver_payloads import copy, tool_failure

_FLUSH = 0.2  # seconds between two looks at what has been unpacked
_TAR = ("--preserve-permissions", "--numeric-owner", "--warning=no-timestamp")


def unpack(payload: Mapping[str, Any], source: BinaryIO, folder: Path) -> None:
    with tempfile.TemporaryFile() as errors:
        zstd = ["zstd", "--decompress", "--stdout", "--quiet"]
        # A record is what a pipe holds: tar's own of 10 KiB cost a third of all the time that a node needs.
        tar = ["tar", "--extract", "--file=-", "--blocking-factor=128", "--read-full-records", f"--directory={folder}"]
        with (
            running(zstd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as decompress,
            running([*tar, *_TAR], stdin=decompress.stdout, stderr=errors) as extract,
            flushing(folder),
        ):
            if decompress.stdin is None or decompress.stdout is None:
                raise AssertionError("both are pipes")  # for the type checker
            decompress.stdout.close()
            copy(payload, source, decompress.stdin)
            with suppress(BrokenPipeError):
                decompress.stdin.close()
            if any([extract.wait(), decompress.wait()]):
                raise tool_failure("unpack", payload, errors)


@contextmanager
def flushing(folder: Path) -> Iterator[None]:
    """The disk writes what is unpacked meanwhile: else each file's sync before its move is a wait of its own."""
    ended = threading.Event()
    flushed: dict[Path, int] = {}

    def flush() -> None:
        while not ended.wait(_FLUSH):
            with suppress(OSError):  # the sync before the move says what is wrong
                for path in folder.rglob("*"):
                    size = path.lstat().st_size
                    if flushed.get(path) != size and not ended.is_set():
                        sync(path)
                        flushed[path] = size

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def running(command: Sequence[str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A child that does not outlive the block."""
    process = subprocess.Popen(command, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()


def facts(path: Path) -> list[int]:
    """What tells that a file is as it was written; content is not read, so asking costs nothing."""
    found = path.lstat()
    return [found.st_size, found.st_mode, found.st_mtime_ns]


def tree(folder: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Files with their facts, and directories, parents first, as paths below `folder`."""
    files, directories = {}, []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if stat.S_ISDIR(path.lstat().st_mode):
            directories.append(name)
        else:
            files[name] = facts(path)
    return files, directories


def clone_directory(model: Path, place: Path) -> None:
    place.mkdir()
    clone_owner(model, place)


def clone_owner(model: Path, place: Path) -> None:
    found = model.lstat()
    os.chown(place, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        place.chmod(stat.S_IMODE(found.st_mode))


def move(made: Path, place: Path) -> None:
    """Rename, durably, so that a running program keeps its old file; also onto another file system."""
    try:
        sync(made)
        made.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = place.with_name(f".{place.name}.new")
        shutil.copy2(made, beside, follow_symlinks=False)
        clone_owner(made, beside)
        sync(beside)
        beside.replace(place)


def sync(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            os.fsync(file.fileno())
