# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Does the cluster's DNS answer from here? Asked at the address that pods ask, so the pod network has a say in it."""

from __future__ import annotations

import re
import socket
import struct

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

CONFIG = "/var/lib/kubelet/config.yaml"
PORT = 53
_TRIES = 3  # UDP may lose one
_TIMEOUT = 1.0  # seconds for one of them
_TYPES = {4: 1, 6: 28}  # A and AAAA by the version of IP
_IN = 1  # the class of the internet
_RECURSION = 0x0100

_SERVER = re.compile(r"^clusterDNS:\s*\n- \"?([0-9a-fA-F.:]+)", re.MULTILINE)
_DOMAIN = re.compile(r"^clusterDomain:\s*(\S+)", re.MULTILINE)


def look(host: Host) -> str:
    """What is wrong, in half a sentence; empty where the API server's own name has an address."""
    config = host.read(CONFIG) or ""
    server, domain = _SERVER.search(config), _DOMAIN.search(config)
    if not server or not domain:
        return f"{CONFIG} names no DNS server"
    return ask(server[1], f"kubernetes.default.svc.{domain[1]}")


def ask(server: str, name: str, port: int = PORT, timeout: float = _TIMEOUT) -> str:
    """The same of any server and name. timeout: seconds for each of three tries."""
    version = 6 if ":" in server else 4
    query = _query(name, _TYPES[version])
    words = ""
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(timeout)
            try:
                asking.connect((server, port))
                asking.send(query)
                return _judge(asking.recv(4096), name)
            except TimeoutError:
                words = f"{server} does not answer within {timeout:g} s"
            except OSError as error:
                words = f"{server} cannot be asked: {error.strerror or error}"
    return words


def _query(name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    return struct.pack(">6H", 1, _RECURSION, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, _IN)


def _judge(answer: bytes, name: str) -> str:
    if len(answer) < 12:
        return "it answers with something else than DNS"
    _, flags, _, answers = struct.unpack(">4H", answer[:8])
    code = flags & 0x0F
    if code:
        return f"it knows no {name} (code {code})"
    return "" if answers else f"it has no address for {name}"
