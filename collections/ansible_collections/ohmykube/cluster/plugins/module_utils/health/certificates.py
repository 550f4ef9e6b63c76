# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""When certificates end, read from their own bytes: not every node has openssl, and kubeadm asks the API first."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

PKI = "/etc/kubernetes/pki"
KUBELET = "/var/lib/kubelet/pki/kubelet-client-current.pem"
# kubeadm's own, with the certificate inside; the kubelet's refers to a file that it renews by itself.
KUBECONFIGS = ("admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf")
DAY = 86400.0  # seconds

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_EMBEDDED = re.compile(r"^\s*client-certificate-data:\s*(\S+)", re.MULTILINE)
# Tags of ASN.1
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


@dataclass(frozen=True)
class Certificate:
    """path: of its file on the node. ends: seconds since the epoch.

    kind: `kubeadm`, which `kubeadm certs renew` renews; `kubelet`, its own identity; `authority`.
    """

    path: str
    ends: float
    kind: str


def look(host: Host) -> list[Certificate]:
    """Those that this node has; what cannot be read as a certificate is no news about its end."""
    return sorted(_found(host), key=lambda certificate: certificate.ends)


def not_after(pem: str) -> float:
    """When the first certificate of a PEM text ends, in seconds since the epoch. ValueError where there is none."""
    found = _PEM.search(pem)
    if not found:
        raise ValueError("no certificate")
    try:
        (_, certificate), *_ = _elements(base64.b64decode(found[1]))
        (_, signed), *_ = _elements(certificate)
        # version (left out in the first), serial number, algorithm, issuer, validity
        fields = [element for element in _elements(signed) if element[0] != _VERSION]
        _, (tag, text) = _elements(fields[3][1])
    except (IndexError, binascii.Error) as error:
        raise ValueError("no certificate") from error
    return _time(tag, text.decode("ascii"))


def _found(host: Host) -> Iterator[Certificate]:
    folder = host.path(PKI)
    for file in sorted(folder.rglob("*.crt")):
        path = f"{PKI}/{file.relative_to(folder)}"
        yield from _certificate(host, path, "authority" if file.stem.endswith("ca") else "kubeadm")
    for name in KUBECONFIGS:
        yield from _certificate(host, f"/etc/kubernetes/{name}", "kubeadm")
    yield from _certificate(host, KUBELET, "kubelet")


def _certificate(host: Host, path: str, kind: str) -> Iterator[Certificate]:
    text = host.read(path) or ""
    embedded = _EMBEDDED.search(text)
    try:
        pem = base64.b64decode(embedded[1]).decode() if embedded else text
        yield Certificate(path, not_after(pem), kind)
    except ValueError:
        return


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element of an ASN.1 sequence. IndexError or ValueError where it is none."""
    found = []
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size], "big")
            at += size
        if at + length > len(der):
            raise ValueError("cut short")
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _time(tag: int, text: str) -> float:
    if tag == _UTC_TIME:  # two digits of the year, of which 50 is 1950
        text = f"{'19' if text >= '5' else '20'}{text}"
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
