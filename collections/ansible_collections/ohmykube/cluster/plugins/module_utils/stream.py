# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The controller's end of `distribute`: how payloads get to a node in one stream.

A stream is a request to the receiver (see remote/code.py), then the payloads' bytes back to back. Memory stays
constant.
"""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code

BLOCK = 1 << 18  # bytes a read; several times a pipe, so that the pipe is never empty
STALL = 180  # seconds without one byte taken; a node's slow disk may hold the stream up for some


def request(operation: str, *, root: str, timeout: int, **more: Any) -> bytes:
    """The stream up to the payloads' bytes. operation: probe, receive or remove; timeout: seconds, for all of it."""
    told = {"operation": operation, "root": root, "timeout": timeout, **more}
    return code.request("receiver", told, keep=root == "/")


@dataclass(frozen=True)
class Ended:
    """How the command that took a stream ended."""

    returncode: int
    stdout: str
    stderr: str


def send(argv: Sequence[str | bytes], first: bytes, files: Sequence[Payload], *, stall: float, timeout: float) -> Ended:
    """Run `argv`, feed it `first` and then the files, and wait for its end.

    stall: seconds in which not one byte is taken; timeout: seconds for all of it. Raises OhmykubeError
    `stream.stalled`, `stream.timeout`, or `cache.damaged` where a file is not as long as the cache says. A command that
    stops reading ends the sending, not the waiting: its answer says why.
    """
    deadline = time.monotonic() + timeout
    # Files rather than pipes: ssh's master process keeps a pipe open after the command has ended, and nobody must read.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr)
        try:
            sink = _Sink(process, stall, deadline)
            try:
                sink.write(first)
                for payload in files:
                    _copy(payload, sink)
            except BrokenPipeError:
                pass
            finally:
                sink.close()
            returncode = process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired as error:
            raise _late(timeout) from error
        finally:
            _end(process)
        return Ended(returncode, _text(stdout), _text(stderr))


class _Sink:
    """The command's standard input; a write waits no longer than the limits allow."""

    def __init__(self, process: subprocess.Popen[bytes], stall: float, deadline: float) -> None:
        if process.stdin is None:
            raise AssertionError("it is a pipe")  # for the type checker
        self._pipe = process.stdin
        self._stall, self._deadline = stall, deadline
        os.set_blocking(self._pipe.fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLOUT)

    def write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            left = self._deadline - time.monotonic()
            if not self._poll.poll(max(min(self._stall, left), 0) * 1000):
                if left <= self._stall:
                    raise subprocess.TimeoutExpired("", left)
                raise OhmykubeError(
                    "stream.stalled",
                    f"the node took no byte for {self._stall:.0f} s",
                    hint="look at its disk and network, then run again: what has arrived whole is kept",
                )
            with suppress(BlockingIOError):  # room for less than the system takes at once
                rest = rest[os.write(self._pipe.fileno(), rest) :]

    def close(self) -> None:
        self._pipe.close()


def _copy(payload: Payload, sink: _Sink) -> None:
    buffer = memoryview(bytearray(BLOCK))
    left = payload.size
    with payload.path.open("rb", buffering=0) as file:
        while left:
            count = file.readinto(buffer[: min(left, BLOCK)])
            if not count:
                raise OhmykubeError(
                    "cache.damaged",
                    f"{payload.path} is {left} bytes shorter than the cache recorded",
                    hint="remove the file; it is made anew by the next run",
                    context={"path": payload.path},
                )
            sink.write(buffer[:count])
            left -= count


def _late(timeout: float) -> OhmykubeError:
    return OhmykubeError(
        "stream.timeout",
        f"the node did not take everything within {timeout:.0f} s",
        hint="run again: what has arrived whole is kept; or raise the task's `timeout`",
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """ssh passes the end of its client on: the receiver reads the end of the stream and cleans up."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
