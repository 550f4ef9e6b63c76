# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""IPVS's virtual services: kube-proxy leaves them behind, and they would go on answering for addresses of services."""

from __future__ import annotations

import errno
import struct
from contextlib import suppress

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset.netlink import (
    ACK,
    REQUEST,
    answers,
    attributes,
    connected,
    message,
)

LINK = "kube-ipvs0"  # kube-proxy's, which takes every virtual service of the machine for its own
_LISTED = "/proc/net/ip_vs"
_KINDS = ("TCP", "UDP", "SCTP", "FWM")
_GENERIC = 16  # NETLINK_GENERIC
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 0x10, 3, 1, 2
_FLUSH = 17  # IPVS_CMD_FLUSH of linux/ip_vs.h


def clear(host: Host) -> None:
    """Of a machine whose link says that they are kube-proxy's."""
    lines = (host.read(_LISTED) or "").splitlines()
    if any(line.startswith(_KINDS) for line in lines):
        with suppress(FileNotFoundError):  # the module has gone meanwhile
            _flush()


def _flush() -> None:
    """What `ipvsadm --clear` does, which few machines have. In the network namespace that this process is in."""
    with connected(_GENERIC) as kernel:
        kernel.send(message(_family("IPVS"), REQUEST | ACK, struct.pack("=BBH", _FLUSH, 1, 0)))
        for _ in answers(kernel, 1):
            pass


def _family(name: str) -> int:
    """The kernel's number for it. Raises FileNotFoundError where it has none."""
    with connected(_GENERIC) as kernel:
        head = struct.pack("=BBH", _GET_FAMILY, 1, 0)
        kernel.send(message(_CONTROL, REQUEST | ACK, head, {_FAMILY_NAME: name}))
        for _kind, body in answers(kernel, 1):
            found = dict(attributes(body))
            if _FAMILY_ID in found:
                return int(struct.unpack("=H", found[_FAMILY_ID])[0])
    raise FileNotFoundError(errno.ENOENT, name)
