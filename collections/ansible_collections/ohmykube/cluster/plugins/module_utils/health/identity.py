# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A new identity for a kubelet that cannot renew its own any more: it was off for longer than the old one was good."""

from __future__ import annotations

import base64
import re
import time

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import certificates
from ansible_collections.ohmykube.cluster.plugins.module_utils.health.signing import without_api
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

AUTHORITY_KEY = "/etc/kubernetes/pki/ca.key"
_TIMEOUT = 60  # seconds; nothing is asked over the network
_EMBEDDED = re.compile(r"^\s*client-(certificate|key)-data:\s*(\S+)", re.MULTILINE)


def issue(host: Host, node: str) -> str:
    """Certificate and key in PEM, signed on this control plane. Raises OhmykubeError `certificate.no-authority`."""
    if not host.path(AUTHORITY_KEY).exists():
        raise OhmykubeError(
            "certificate.no-authority",
            f"there is no {AUTHORITY_KEY} here to sign with",
            hint="ask a control plane that kubeadm has made",
        )
    who = (f"--client-name=system:node:{node}", "--org=system:nodes")
    made = without_api(host, "kubeconfig", "user", *who, timeout=_TIMEOUT)
    parts = {kind: base64.b64decode(data).decode() for kind, data in _EMBEDDED.findall(made)}
    return f"{parts['certificate']}{parts['key']}"


def install(host: Host, identity: str) -> list[Change]:
    """Give it to the kubelet of this node, where it is good for longer than what is there."""
    link = host.path(certificates.KUBELET)
    try:
        there = certificates.not_after(host.read(certificates.KUBELET) or "")
    except ValueError:
        there = 0.0
    if there >= certificates.not_after(identity):
        return []

    def apply() -> None:
        """As the kubelet itself does it: a file of its own, and then the link."""
        file = link.with_name(f"kubelet-client-{time.strftime('%Y-%m-%d-%H-%M-%S', time.gmtime())}.pem")
        write_atomic(file, identity.encode(), 0o600)
        new = link.with_name(f".{link.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(file.name)
        new.replace(link)
        systemd = Systemd(host)
        systemd.call("reset-failed", "kubelet.service")
        systemd.call("restart", "kubelet.service")

    return [Change("kubelet has a new identity", "", "", apply)]
