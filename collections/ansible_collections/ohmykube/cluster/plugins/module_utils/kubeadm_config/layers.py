# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""All that kubeadm is given on one node: defaults < provider < user < enforced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import enforced
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import (
    API_VERSIONS,
    INIT_KINDS,
    JOIN_KINDS,
    Document,
    merge,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.enforced import Joining, Node
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.user import User, of_list

# They ask for their lease before the API server lets them; the usual 2 seconds, spread up to 4, delay every start.
_QUICK_ELECTION = (("leader-elect-retry-period", "1s"),)
# For each of its controllers it makes an account when it starts: some seconds of waiting at the usual 20 a second.
_QUICK_REQUESTS = (("kube-api-qps", "100"), ("kube-api-burst", "200"))


def init(node: Node, user: User) -> list[Document]:
    """The documents for `kubeadm init`. Raises OhmykubeError `kubeadm.*`, all of them."""
    return _compose(node, user, None, INIT_KINDS)


def join(node: Node, user: User, joining: Joining) -> list[Document]:
    """Those for `kubeadm join`; they hold secrets."""
    return _compose(node, user, joining, JOIN_KINDS)


def problems(node: Node, user: User, joining: Joining | None = None) -> list[OhmykubeError]:
    """Where what the user wrote contradicts what this node needs. joining: where it joins, and does not begin."""
    demanded = enforced.of_join(node, joining) if joining else enforced.of_init(node)
    return [
        *enforced.clashes(_seen_by(node, user), demanded),
        *enforced.swap_gate(user, node),
        *enforced.no_proxy(user, node),
        *enforced.families(node),
    ]


def _compose(node: Node, user: User, joining: Joining | None, kinds: Sequence[str]) -> list[Document]:
    provider = of_list(node.provider_config, "kubeadm_provider_config")
    raise_all([*provider.problems, *user.problems, *problems(node, user, joining)])
    demanded = enforced.of_join(node, joining) if joining else enforced.of_init(node)
    mine = _seen_by(node, user).documents.values()
    return merge([_defaults(node, user), provider.documents.values(), mine, demanded], kinds)


def _seen_by(node: Node, user: User) -> User:
    """Without what is meant for control planes alone: it would make one of a worker."""
    join = user.documents.get("JoinConfiguration")
    if join is None or node.control_plane:
        return user
    rest = {key: value for key, value in join.items() if key != "controlPlane"}
    return User({**user.documents, "JoinConfiguration": rest}, user.written)


def _defaults(node: Node, user: User) -> list[Document]:
    registration = {} if node.tainted or not node.control_plane else {"taints": []}
    election = [{"name": name, "value": value} for name, value in _QUICK_ELECTION]
    requests = [{"name": name, "value": value} for name, value in _QUICK_REQUESTS]
    host = node.endpoint.rpartition(":")[0]
    addresses = [node.address, *([node.second_address] if node.dual_stack else [])]
    return [
        _document(
            "InitConfiguration",
            bootstrapTokens=[{"ttl": "15m0s"}],  # nodes get one of their own when they join
            nodeRegistration=registration,
        ),
        _document(
            "ClusterConfiguration",
            encryptionAlgorithm="ECDSA-P256",  # a second less than RSA to make, and a tenth of the work to sign with
            apiServer={"certSANs": [*addresses, host, "localhost", "127.0.0.1", *node.sans]},
            scheduler={"extraArgs": election},
            controllerManager={"extraArgs": [*election, *requests]},
        ),
        _document("JoinConfiguration", nodeRegistration=registration),
        _document(
            "KubeletConfiguration",
            cgroupDriver="systemd",
            failSwapOn=not node.swap,
            memorySwap={"swapBehavior": "LimitedSwap" if node.swap else "NoSwap"},
        ),
        *_kube_proxy(node, user),
    ]


def _kube_proxy(node: Node, user: User) -> list[Document]:
    if not node.kube_proxy:
        return []
    return [_document("KubeProxyConfiguration", mode=node.proxy_mode, **_of_mode(node, user))]


def _of_mode(node: Node, user: User) -> dict[str, Any]:
    """In mode ipvs every node has all addresses of services, and would answer for one that another announces."""
    mode = user.documents.get("KubeProxyConfiguration", {}).get("mode") or node.proxy_mode
    return {"ipvs": {"strictARP": True}} if mode == "ipvs" else {}


def _document(kind: str, **values: Any) -> Mapping[str, Any]:
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, **values}
