# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a node's documents must say, whatever the user wrote, and where that is a contradiction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import PATCHES
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import (
    API_VERSIONS,
    BY_NAME,
    BY_VALUE,
    Document,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.user import User, problem
from ansible_collections.ohmykube.cluster.plugins.module_utils.places import Path

_SOCKET = "unix:///run/containerd/containerd.sock"
# What each node is given for itself: no value of a file can stand for all. Of discovery, the whole.
_OF_EACH_NODE: tuple[Path, ...] = (
    ("InitConfiguration", "localAPIEndpoint", "advertiseAddress"),
    ("InitConfiguration", "nodeRegistration", "name"),
    ("InitConfiguration", "nodeRegistration", "kubeletExtraArgs", "node-ip"),
    ("JoinConfiguration", "controlPlane", "localAPIEndpoint", "advertiseAddress"),
    ("JoinConfiguration", "controlPlane", "certificateKey"),
    ("JoinConfiguration", "nodeRegistration", "name"),
    ("JoinConfiguration", "nodeRegistration", "kubeletExtraArgs", "node-ip"),
    ("JoinConfiguration", "discovery"),
)
# Where else it can be said: in the cluster file, and to the role.
_SAID_IN: dict[Path, tuple[str, str]] = {
    ("InitConfiguration", "patches", "directory"): ("spec.kubeadm.patches", "kubeadm_patches"),
    ("JoinConfiguration", "patches", "directory"): ("spec.kubeadm.patches", "kubeadm_patches"),
    ("ClusterConfiguration", "kubernetesVersion"): ("spec.kubernetesVersion", "kubeadm_version"),
    ("ClusterConfiguration", "clusterName"): ("metadata.name", "kubeadm_cluster_name"),
    ("ClusterConfiguration", "networking", "podSubnet"): ("spec.network.podCIDR", "kubeadm_pod_cidr"),
    ("ClusterConfiguration", "networking", "serviceSubnet"): ("spec.network.serviceCIDR", "kubeadm_service_cidr"),
    ("ClusterConfiguration", "proxy", "disabled"): ("spec.network.proxyMode", "kubeadm_proxy_mode"),
    ("KubeletConfiguration", "failSwapOn"): ("spec.swap", "kubeadm_swap"),
    ("KubeletConfiguration", "featureGates", "NodeSwap"): ("spec.swap", "kubeadm_swap"),
}


@dataclass(frozen=True)
class Node:
    """A node, as the role's variables describe it. tainted: whether control planes are kept free of workloads.

    pod_cidr, service_cidr: of IPv4, or of IPv4 and IPv6 with a comma between. second_address: the node's of IPv6.
    """

    name: str
    address: str
    control_plane: bool
    tainted: bool
    cluster_name: str
    version: str
    endpoint: str
    pod_cidr: str
    service_cidr: str
    proxy_mode: str
    swap: bool
    sans: tuple[str, ...] = ()
    provider_config: tuple[Any, ...] = ()
    second_address: str = ""

    @property
    def kube_proxy(self) -> bool:
        """Whether there is one; where there is none, the pod network does its work."""
        return self.proxy_mode != "none"

    @property
    def dual_stack(self) -> bool:
        return "," in self.pod_cidr


@dataclass(frozen=True)
class Joining:
    """What a node joins with: secrets. certificate_key: a control plane's."""

    token: str
    ca_cert_hash: str
    certificate_key: str = ""


def of_init(node: Node) -> list[Document]:
    first = {
        **_document("InitConfiguration"),
        "localAPIEndpoint": {"advertiseAddress": node.address},
        "nodeRegistration": _registration(node),
        "patches": {"directory": PATCHES},
    }
    cluster = {
        **_document("ClusterConfiguration"),
        "kubernetesVersion": node.version,
        "clusterName": node.cluster_name,
        "controlPlaneEndpoint": node.endpoint,
        "certificatesDir": "/etc/kubernetes/pki",
        "networking": {"podSubnet": node.pod_cidr, "serviceSubnet": node.service_cidr},
        **({} if node.kube_proxy else {"proxy": {"disabled": True}}),
    }
    kubelet = {**_document("KubeletConfiguration"), "failSwapOn": False}
    return [first, cluster, *([kubelet] if node.swap else [])]


def of_join(node: Node, joining: Joining) -> list[Document]:
    join = {
        **_document("JoinConfiguration"),
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": node.endpoint,
                "token": joining.token,
                "caCertHashes": [joining.ca_cert_hash],
            }
        },
        "nodeRegistration": _registration(node),
        "patches": {"directory": PATCHES},
    }
    plane = {
        "localAPIEndpoint": {"advertiseAddress": node.address},
        "certificateKey": joining.certificate_key,
    }
    return [{**join, "controlPlane": plane} if node.control_plane else join]


def clashes(user: User, enforced: Iterable[Document]) -> Iterator[OhmykubeError]:
    """Where the user's value would be overruled (`kubeadm.enforced`)."""
    for document in enforced:
        kind = document["kind"]
        for path, mine, theirs in _differences(user.documents.get(kind), document, (kind,)):
            words = f"cannot be {mine!r}: it must be {theirs!r}"
            if _of_each_node(path):  # and what a node is given may be a secret
                words = "cannot be set: each node is given its own"
            yield problem("kubeadm.enforced", path[1:], words, user.written[kind], _hint(path))


def swap_gate(user: User, node: Node) -> Iterator[OhmykubeError]:
    """NodeSwap is never written: it is on since 1.30, locked since 1.34. Where it is switched off, pods get no swap."""
    path: Path = ("featureGates", "NodeSwap")
    gates = user.documents.get("KubeletConfiguration", {}).get("featureGates")
    if node.swap and isinstance(gates, Mapping) and gates.get("NodeSwap") is False:
        kind = "KubeletConfiguration"
        words = "cannot be False: nodes are to use swap"
        yield problem("kubeadm.enforced", path, words, user.written[kind], _hint((kind, *path)))


def no_proxy(user: User, node: Node) -> Iterator[OhmykubeError]:
    """A document for kube-proxy says nothing to anybody where there is none."""
    kind = "KubeProxyConfiguration"
    if not node.kube_proxy and kind in user.documents:
        words = "cannot be used: there is no kube-proxy"
        hint = "leave the document out, or set spec.network.proxyMode (kubeadm_proxy_mode of the role)"
        yield problem("kubeadm.enforced", (), words, user.written[kind], hint)


def families(node: Node) -> Iterator[OhmykubeError]:
    """Where pods are to have addresses of both families (`kubeadm.one-family`), their node must have."""
    if node.dual_stack and not node.second_address:
        yield OhmykubeError(
            "kubeadm.one-family",
            f"pods shall have IPv6 addresses ({node.pod_cidr}), and {node.name} itself has none",
            hint="give the machine's interface one that lasts, or leave IPv6 out of podCIDR and serviceCIDR",
        )


def _document(kind: str) -> dict[str, Any]:
    return {"apiVersion": API_VERSIONS[kind], "kind": kind}


def _registration(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "criSocket": _SOCKET,
        "kubeletExtraArgs": [{"name": "node-ip", "value": _addresses(node)}],
    }


def _addresses(node: Node) -> str:
    return f"{node.address},{node.second_address}" if node.dual_stack else node.address


def _of_each_node(path: Path) -> bool:
    return any(path[: len(prefix)] == prefix for prefix in _OF_EACH_NODE)


def _hint(path: Path) -> str:
    if path not in _SAID_IN:
        return "leave it out"
    field, variable = _SAID_IN[path]
    return f"leave it out: {field} of the cluster file says it ({variable} of the role)"


def _differences(mine: Any, theirs: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Values of mine that are not theirs. One of the wrong type is another problem, and told as that."""
    if mine is None or not isinstance(mine, type(theirs)):
        return
    if isinstance(theirs, Mapping):
        whole = _of_each_node(path)
        for key, value in mine.items():
            if key in theirs:
                yield from _differences(value, theirs[key], (*path, key))
            elif whole and value is not None:
                yield (*path, key), value, None
    elif path[-1] in BY_NAME:
        fixed = {item["name"]: item["value"] for item in theirs}
        for item in mine:
            name = item.get("name") if isinstance(item, Mapping) else None
            if isinstance(name, str) and name in fixed:
                yield from _differences(item.get("value"), fixed[name], (*path, name))
    elif path[-1] not in BY_VALUE and _plain(mine, path) != _plain(theirs, path):
        yield path, mine, theirs


def _plain(value: Any, path: Path) -> Any:
    """Without what makes no difference."""
    if path[-1] == "kubernetesVersion":
        return value.removeprefix("v")
    if path[-1] == "criSocket":
        return value.replace("unix:///var/run/", "unix:///run/")
    return value
