# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What both kinds of payloads need on the node: their bytes, verified, and words for what goes wrong.

Part of the receiver (receiver.py): standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

BLOCK = 1 << 18  # bytes held in memory, whatever a payload's size
FULL = ("no space left on device", "wrote only")  # the latter is tar's, of a write that was cut short


class Failure(Exception):
    """What goes back to the controller and becomes an OhmykubeError there; that class is not at hand here."""

    def __init__(self, code: str, message: str, hint: str = "", **context: object) -> None:
        super().__init__(message)
        values = {key: str(value) for key, value in context.items()}
        self.answer = {"code": code, "message": message, "hint": hint, "context": values}


def copy(payload: Mapping[str, Any], source: BinaryIO, sink: IO[bytes]) -> None:
    """Copy the payload's bytes, and raise payload.corrupt unless their sum is right.

    A pipe that breaks is no end: the sum still has to tell whether the bytes or the reader were at fault.
    """
    digest, left, broken = hashlib.sha256(), payload["size"], False
    buffer = memoryview(bytearray(BLOCK))
    while left:
        count = source.readinto1(buffer[: min(left, BLOCK)])  # type: ignore[attr-defined]
        if not count:
            raise Failure("stream.cut", f"the stream ended {left} bytes before the end of {payload['name']}")
        left -= count
        digest.update(buffer[:count])
        if not broken:
            try:
                sink.write(buffer[:count])
            except BrokenPipeError:
                broken = True
    if digest.hexdigest() != payload["sha256"]:
        raise Failure(
            "payload.corrupt",
            f"{payload['name']} {payload['version']} arrived with another sum than the cache recorded",
            "run again; if it stays so, the file in the controller's cache is damaged: remove it there",
            payload=payload["name"],
            expected=payload["sha256"],
            found=digest.hexdigest(),
        )


@contextmanager
def payload_source(payload: Mapping[str, Any], stream: BinaryIO) -> Iterator[BinaryIO]:
    """The stream, or the file that was put on the node where the connection cannot carry a stream."""
    if payload["path"]:
        with Path(payload["path"]).open("rb") as file:
            yield file
    else:
        yield stream


def tool_failure(verb: str, payload: Mapping[str, Any], errors: IO[bytes]) -> Failure:
    errors.seek(0)
    words = errors.read()[-2000:].decode(errors="replace").strip()
    if any(sign in words.lower() for sign in FULL):
        return disk_full(words)
    if verb == "import" and "containerd.sock" in words:
        hint = "on the node: systemctl status containerd"
        return Failure("node.containerd-down", "containerd does not answer", hint, output=words)
    return Failure(f"node.{verb}-failed", f"cannot {verb} {payload['name']}: {words}", payload=payload["name"])


def disk_full(words: str) -> Failure:
    hint = "free space on the node (df -h, df -i), or give the machine a larger disk; then run again"
    return Failure("node.disk-full", "the node's disk is full", hint, output=words)
