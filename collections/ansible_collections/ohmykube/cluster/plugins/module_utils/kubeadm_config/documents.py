# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""kubeadm's documents: the kinds there are, how layers of them merge, and how they are written.

Order: defaults < provider < user < enforced. Mappings merge; `extraArgs`, `extraVolumes` and `extraEnvs` merge by name
and `certSANs` by value; other lists are replaced. Source of the kinds: kubeadm.k8s.io/v1beta4 (Kubernetes 1.31+).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

Document = Mapping[str, Any]

KUBEADM = "kubeadm.k8s.io/v1beta4"
KUBELET = "kubelet.config.k8s.io/v1beta1"
KUBE_PROXY = "kubeproxy.config.k8s.io/v1alpha1"
API_VERSIONS = {
    "InitConfiguration": KUBEADM,
    "ClusterConfiguration": KUBEADM,
    "JoinConfiguration": KUBEADM,
    "KubeletConfiguration": KUBELET,
    "KubeProxyConfiguration": KUBE_PROXY,
}
INIT_KINDS = ("InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration")
JOIN_KINDS = ("JoinConfiguration",)

BY_NAME = frozenset({"extraArgs", "extraVolumes", "extraEnvs", "kubeletExtraArgs"})
BY_VALUE = frozenset({"certSANs"})
# Plain text to PyYAML, and a number or a boolean to the YAML that kubeadm reads: 1e3, 0o7, y.
_AMBIGUOUS = re.compile(r"[-+.0-9].*|[yYnN]", re.DOTALL)


def merge(layers: Sequence[Iterable[Document]], kinds: Sequence[str]) -> list[Document]:
    """The documents of `kinds`, in that order. layers: lowest first."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for document in layer:
            kind = document["kind"]
            merged[kind] = _merge(merged[kind], document, "") if kind in merged else document
    return [merged[kind] for kind in kinds if kind in merged]


def text(documents: Iterable[Document]) -> str:
    """As YAML, for kubeadm to read."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False)


def named(items: Any) -> bool:
    """Whether it is a list that can merge by name."""
    return isinstance(items, list) and all(
        isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in items
    )


def _merge(low: Any, high: Any, key: str) -> Any:
    if isinstance(low, Mapping) and isinstance(high, Mapping):
        merged = dict(low)
        for each, value in high.items():
            merged[each] = _merge(low[each], value, each) if each in low else value
        return merged
    if isinstance(low, list) and isinstance(high, list):
        if key in BY_NAME and named([*low, *high]):
            names = {item["name"] for item in high}
            return [item for item in low if item["name"] not in names] + high
        if key in BY_VALUE:
            return [item for item in low if item not in high] + high
    return high


class _Dumper(yaml.SafeDumper):
    """Every value is written out where it stands: kubeadm's reader knows no aliases across documents."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = '"' if _AMBIGUOUS.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
