# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Netlink, as far as a reset speaks it: messages of a head of four bytes and texts, and what the kernel answers."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300

_TIMEOUT = 10  # seconds for an answer
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_HEAD = 4  # bytes of struct nfgenmsg, and of struct genlmsghdr
_KIND_OF_ATTRIBUTE = 0x3FFF  # without the bits for nested ones and byte order


def connected(protocol: int) -> socket.socket:
    """protocol: NETLINK_… of the kernel."""
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    kernel.settimeout(_TIMEOUT)
    kernel.bind((0, 0))
    return kernel


def message(kind: int, flags: int, head: bytes, names: Mapping[int, str] | None = None) -> bytes:
    """names: texts by the number of their attribute."""
    body = head
    for number, name in (names or {}).items():
        text = name.encode() + b"\0"
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(text), number) + text
        body += b"\0" * (-len(body) % 4)
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    position = _HEAD
    while position + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, position)
        yield kind & _KIND_OF_ATTRIBUTE, body[position + _ATTRIBUTE.size : position + length]
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)


def answers(kernel: socket.socket, acknowledged: int) -> Iterator[tuple[int, bytes]]:
    """Types and bodies, until the kernel says that it is done, or has acknowledged so many. Raises what it refuses."""
    while True:
        received, position = kernel.recv(1 << 16), 0
        while position < len(received):
            length, kind, *_ = _HEADER.unpack_from(received, position)
            body = received[position + _HEADER.size : position + length]
            if kind == _ERROR:
                code = -struct.unpack_from("=i", body)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                acknowledged -= 1
                if not acknowledged:
                    return
            elif kind == _DONE:
                return
            else:
                yield kind, body
            position += (length + 3) & ~3
