# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Holds all room of a file system, until it is ended. A program by itself: it is run from its own text.

It goes on taking what others give back. It tells systemd when nothing is left for the first time.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
import time

LARGEST = 1 << 30  # bytes that are asked for at once
SMALLEST = 512
PAUSE = 1.0  # seconds


def fill(descriptor: int) -> None:
    """Until not even the smallest piece is left."""
    size = os.fstat(descriptor).st_size
    piece = LARGEST
    while piece >= SMALLEST:
        try:
            os.posix_fallocate(descriptor, size, piece)
            size += piece
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EFBIG):
                raise
            piece //= 2


def tell_full(place: str) -> None:
    """place: the socket of systemd, as its variable names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", "\0" + place[1:] if place.startswith("@") else place)


def main(folder: str) -> None:
    with tempfile.TemporaryFile(dir=folder) as held:  # it has no name: nothing is left when we end
        fill(held.fileno())
        tell_full(os.environ["NOTIFY_SOCKET"])
        while True:
            time.sleep(PAUSE)
            fill(held.fileno())


if __name__ == "__main__":
    main(sys.argv[1])
