# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""kubeadm's documents: the user's own merged over ours, below what a cluster must have. Pure.

Order: defaults < provider < user < enforced. Mappings merge; `extraArgs`, `extraVolumes` and `extraEnvs` merge by name
and `certSANs` by value; other lists are replaced. Source of the kinds: kubeadm.k8s.io/v1beta4 (Kubernetes 1.31+).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all

Document = Mapping[str, Any]

KUBEADM = "kubeadm.k8s.io/v1beta4"
KUBELET = "kubelet.config.k8s.io/v1beta1"
KUBE_PROXY = "kubeproxy.config.k8s.io/v1alpha1"
API_VERSIONS = {
    "InitConfiguration": KUBEADM,
    "ClusterConfiguration": KUBEADM,
    "JoinConfiguration": KUBEADM,
    "ResetConfiguration": KUBEADM,
    "UpgradeConfiguration": KUBEADM,
    "KubeletConfiguration": KUBELET,
    "KubeProxyConfiguration": KUBE_PROXY,
}
INIT_KINDS = ("InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration")
JOIN_KINDS = ("JoinConfiguration",)

_BY_NAME = frozenset({"extraArgs", "extraVolumes", "extraEnvs", "kubeletExtraArgs"})
_BY_VALUE = frozenset({"certSANs"})


def merge(layers: Sequence[Iterable[Document]], enforced: Iterable[Document], kinds: Sequence[str]) -> list[Document]:
    """The documents of `kinds`, in that order.

    layers: lowest first; the last one is the user's. Raises OhmykubeError `kubeadm.*` for what kubeadm would refuse or
    ignore, and where the user sets an enforced field to another value.
    """
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for kind, document in by_kind(layer).items():
            merged[kind] = _merge(merged.get(kind, {}), document, ())
    user, demanded = by_kind(layers[-1]), by_kind(enforced)
    raise_all([clash for kind in user for clash in _clashes(user[kind], demanded.get(kind, {}), (kind,))])
    for kind, document in demanded.items():
        merged[kind] = _merge(merged.get(kind, {}), document, ())
    return [merged[kind] for kind in kinds if kind in merged]


def by_kind(documents: Iterable[Document | None]) -> dict[str, Document]:
    """Documents by their kind. Raises OhmykubeError `kubeadm.document` for each that has no place here."""
    found: dict[str, Document] = {}
    problems: list[OhmykubeError] = []
    for number, document in enumerate(documents, start=1):
        if document is None:  # an empty part between two `---`
            continue
        words = _problem(document, found)
        if words:
            problems.append(_error("kubeadm.document", f"kubeadm document {number}: {words}"))
        else:
            found[document["kind"]] = document
    raise_all(problems)
    return found


def _problem(document: Any, found: Mapping[str, Document]) -> str:
    if not isinstance(document, Mapping):
        return "it is no mapping"
    kind, version = document.get("kind"), document.get("apiVersion")
    if not kind or not version:
        return "apiVersion and kind are needed"
    if kind not in API_VERSIONS:
        return f"unknown kind {kind}; known: {', '.join(API_VERSIONS)}"
    if version != API_VERSIONS[kind]:
        return f"{kind} has apiVersion {version}; write {API_VERSIONS[kind]}"
    return f"{kind} stands twice" if kind in found else ""


def _merge(low: Any, high: Any, path: tuple[str, ...]) -> Any:
    if isinstance(low, Mapping) and isinstance(high, Mapping):
        merged = dict(low)
        for key, value in high.items():
            merged[key] = _merge(low[key], value, (*path, key)) if key in low else value
        return merged
    key = path[-1] if path else ""
    if isinstance(low, list) and isinstance(high, list):
        if key in _BY_NAME and _named([*low, *high]):
            names = {item["name"] for item in high}
            return [item for item in low if item["name"] not in names] + high
        if key in _BY_VALUE:
            return [item for item in low if item not in high] + high
    return high


def _clashes(user: Any, enforced: Any, path: tuple[str, ...]) -> list[OhmykubeError]:
    """Where the user's value would be overruled."""
    if isinstance(user, Mapping) and isinstance(enforced, Mapping):
        return [
            clash for key in user if key in enforced for clash in _clashes(user[key], enforced[key], (*path, str(key)))
        ]
    key = path[-1]
    if key in _BY_VALUE:
        return []
    if key in _BY_NAME and _named(user) and _named(enforced):
        fixed = {item["name"]: item.get("value") for item in enforced}
        return [
            clash
            for item in user
            if item["name"] in fixed
            for clash in _clashes(item.get("value"), fixed[item["name"]], (*path, item["name"]))
        ]
    if user == enforced or key in ("apiVersion", "kind"):
        return []
    return [
        _error(
            "kubeadm.enforced",
            f"kubeadm file: {'.'.join(path)} cannot be {user!r}: the cluster needs {enforced!r}",
            "leave it out, or set it in the cluster file",
        )
    ]


def _named(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in items
    )


def _error(code: str, message: str, hint: str = "") -> OhmykubeError:
    return OhmykubeError(code, message, hint=hint or "https://kubernetes.io/docs/reference/config-api/", exit_code=2)
