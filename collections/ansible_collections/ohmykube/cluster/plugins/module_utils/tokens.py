# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Bootstrap tokens: made when a node must join, gone when it has. They are Secrets, and never an argument."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, until, with_file

LIFETIME = timedelta(minutes=15)
_SIGN_TIMEOUT = 120  # seconds; the controller manager must have started
_CA = "/etc/kubernetes/pki/ca.crt"
_LETTERS = string.ascii_lowercase + string.digits


def missing_nodes(
    kubectl: Kubectl, nodes: Mapping[str, str], unjoined: Sequence[str] = (), *, timeout: float
) -> list[str]:
    """Those that the API server does not call Ready at their address, and those that cannot be, whatever it believes.

    nodes: addresses by name; empty for any. timeout: seconds that an API server may take whose etcd has just come back.
    """
    there = {item["metadata"]["name"]: item for item in patiently(lambda: kubectl.items("nodes"), timeout=timeout)}
    ready = {name for name, item in there.items() if _ready(item) and nodes.get(name, "") in ("", *_addresses(item))}
    return [node for node in nodes if node not in ready or node in unjoined]


def forget_nodes(kubectl: Kubectl, nodes: Sequence[str]) -> list[str]:
    """Delete those that the API server knows; their names."""
    known = {item["metadata"]["name"] for item in patiently(lambda: kubectl.items("nodes"), timeout=60)}
    gone = [node for node in nodes if node in known]
    if gone:
        kubectl.text("delete", "nodes", "--wait=false", *gone)
    return gone


def mint(kubectl: Kubectl) -> dict[str, str]:
    """A new token, and the hash by which a node knows the right cluster."""
    identity, secret = _random(6), _random(16)
    ends = (datetime.now(timezone.utc) + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": f"bootstrap-token-{identity}", "namespace": "kube-system"},
        "stringData": {
            "description": "ohmykube: for nodes that join now",
            "token-id": identity,
            "token-secret": secret,
            "expiration": ends,
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    }
    words = ("apply", "--validate=ignore")  # else it reads the API's description first
    patiently(lambda: with_file(json.dumps(made), lambda path: kubectl.text(*words, f"--filename={path}")), timeout=60)
    _wait_until_signed(kubectl, identity)
    return {"token": f"{identity}.{secret}", "ca_cert_hash": _ca_hash(kubectl)}


def _wait_until_signed(kubectl: Kubectl, identity: str) -> None:
    """A node that comes before the controller manager has signed for the token asks again only after 5 seconds."""

    def look() -> Iterator[str]:
        found = kubectl.items("configmap/cluster-info", "--namespace=kube-public")
        if not any(f"jws-kubeconfig-{identity}" in item.get("data", {}) for item in found):
            yield "the token is not signed"

    words = "kubectl --namespace=kube-system logs --selector=component=kube-controller-manager"
    until(look, timeout=_SIGN_TIMEOUT, what="nodes cannot join", explain=lambda: words)


def revoke_all(kubectl: Kubectl) -> None:
    """Delete every bootstrap token: each was made for nodes that have joined by now."""
    selector = "--field-selector=type=bootstrap.kubernetes.io/token"
    kubectl.text("--namespace=kube-system", "delete", "secrets", selector, "--ignore-not-found", "--wait=false")


def _ready(node: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))


def _addresses(node: dict[str, Any]) -> list[str]:
    return [entry["address"] for entry in node["status"].get("addresses", []) if entry["type"] == "InternalIP"]


def _ca_hash(kubectl: Kubectl) -> str:
    """sha256 of the certificate's public key, in the form of `kubeadm join`."""
    pem = kubectl.host.read(_CA)
    if pem is None:
        raise OhmykubeError("kubeadm.no-ca", f"{_CA} is missing on the control plane")
    import ssl  # here: most tasks make no token, and are shorter for it

    return "sha256:" + hashlib.sha256(public_key_info(ssl.PEM_cert_to_DER_cert(pem))).hexdigest()


def public_key_info(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a DER certificate (RFC 5280 §4.1).

    The standard library reads no certificates; the field is the seventh of tbsCertificate, counting the version.
    """
    _, body, _ = _element(certificate, 0)  # Certificate
    _, position, end = _element(certificate, body)  # tbsCertificate
    fields = []
    while position < end:
        start = position
        tag, _, position = _element(certificate, position)
        if not (tag == 0xA0 and not fields):  # the version is optional
            fields.append(certificate[start:position])
    return fields[5]  # serial, signature, issuer, validity, subject, then the key


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """A DER element: its tag, where its content begins, and where it ends."""
    tag, length, content = data[position], data[position + 1], position + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[content : content + count], "big")
        content += count
    return tag, content, content + length


def _random(count: int) -> str:
    import secrets  # here: see _ca_hash

    return "".join(secrets.choice(_LETTERS) for _ in range(count))
