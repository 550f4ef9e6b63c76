"""Ports of this computer that lead into machines."""

import socket
import zlib
from collections.abc import Collection

# Below what Linux and macOS hand out by themselves, so that a port still is free when its machine starts again.
_FIRST, _COUNT = 20000, 10000


def free_port(name: str, used: Collection[int]) -> int:
    """A port of 127.0.0.1 for a machine: mostly the same for the same name, never one that another machine has.

    used: those of all machines, whether they run or not.
    """
    start = zlib.crc32(name.encode())
    candidates = (_FIRST + (start + offset) % _COUNT for offset in range(_COUNT))
    return next(port for port in candidates if port not in used and _free(port))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
