# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Several control planes: the address that they share, and what a new one is given by the others."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, with_file

_API = "kubeadm.k8s.io/v1beta4"
_UPLOAD_TIMEOUT = 60  # seconds
_IP_TIMEOUT = 30  # seconds
_NAMESPACES = ("kube-system", "kube-flannel")


def take_address(host: Host, shared: str, own: str) -> str:
    """Hold the shared address on the interface that has `own`, until kube-vip does; the interface.

    kubeadm init already asks the API server at it, and kube-vip needs what init makes.
    """
    interface = _interface(host, own)
    if not interface:
        raise OhmykubeError("node.no-address", f"no interface has {own}", hint="`ip address` on the node shows them")
    host.command(["ip", "address", "replace", f"{shared}/32", "dev", interface])
    return interface


def let_go(host: Host, shared: str) -> None:
    """Of the shared address, where this machine has it still: kube-vip may have had no time for that when it ended."""
    interface = _interface(host, shared)
    if interface:
        give_address_back(host, shared, interface)


def give_address_back(host: Host, shared: str, interface: str) -> None:
    """After an init that failed: no kube-vip would ever let go of it."""
    host.run(["ip", "address", "delete", f"{shared}/32", "dev", interface], _IP_TIMEOUT)


def _interface(host: Host, address: str) -> str:
    shown = json.loads(host.command(["ip", "-json", "address", "show", "to", address]) or "[]")
    return str(next((entry["ifname"] for entry in shown if entry.get("ifname")), ""))


def refuse_another(unseen: Sequence[str]) -> None:
    """Raise OhmykubeError `kubeadm.unseen`: a second cluster could be made beside one that is only out of sight."""
    if unseen:
        raise OhmykubeError(
            "kubeadm.unseen",
            f"this control plane has no cluster, and {', '.join(unseen)} could not be asked whether it has",
            hint="start them first; `ohmykube delete --force` gives up those that are lost",
        )


def share_certificates(kubeadm: Kubeadm, version: str) -> str:
    """Keep the authorities' keys in the cluster, for two hours at most; the key that opens them.

    version: of Kubernetes. kubeadm asks the internet for one that is not named.
    """
    import secrets  # here: most tasks share nothing, and are shorter for it

    key = secrets.token_hex(32)
    documents = [
        {"apiVersion": _API, "kind": "InitConfiguration", "certificateKey": key},
        {"apiVersion": _API, "kind": "ClusterConfiguration", "kubernetesVersion": version},
    ]
    words = ["init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print"]
    text = "\n---\n".join(map(json.dumps, documents))
    with_file(text, lambda path: kubeadm.run(*words, f"--config={path}", timeout=_UPLOAD_TIMEOUT))
    return key


def withdraw_certificates(kubectl: Kubectl) -> None:
    kubectl.text("--namespace=kube-system", "delete", "secret", "kubeadm-certs", "--ignore-not-found")


def renew_host_network(kubectl: Kubectl) -> None:
    """Start pods anew that have their node's /etc/hosts: it is copied into them once, and the endpoint has moved."""
    for namespace in _NAMESPACES:
        for item in kubectl.items("daemonsets", f"--namespace={namespace}"):
            if item["spec"]["template"]["spec"].get("hostNetwork"):
                name = f"daemonset/{item['metadata']['name']}"
                kubectl.text(f"--namespace={namespace}", "rollout", "restart", name)
