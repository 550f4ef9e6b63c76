# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Documents of kubeadm.k8s.io/v1beta3, which Kubernetes 1.37 no longer reads, as those of v1beta4.

What differs: flags are lists of {name, value}, in place of mappings; two timeouts have moved; and v1beta4 has new
fields. kubeadm's own `config migrate` fills all defaults in besides, which would then stand above ours.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import KUBEADM
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.fields import Problem
from ansible_collections.ohmykube.cluster.plugins.module_utils.places import Path

OLD = "kubeadm.k8s.io/v1beta3"
KINDS = ("InitConfiguration", "ClusterConfiguration", "JoinConfiguration")
_HINT = f"write apiVersion: {KUBEADM}, and each flag as {{name: …, value: …}}"

_COMPONENTS = ("apiServer", "controllerManager", "scheduler")
_FLAGS: dict[str, tuple[Path, ...]] = {
    "InitConfiguration": (("nodeRegistration", "kubeletExtraArgs"),),
    "ClusterConfiguration": (*((name, "extraArgs") for name in _COMPONENTS), ("etcd", "local", "extraArgs")),
    "JoinConfiguration": (("nodeRegistration", "kubeletExtraArgs"),),
}
_NEW_OF_NODE: tuple[Path, ...] = (("dryRun",), ("timeouts",), ("nodeRegistration", "imagePullSerial"))
_NEW: dict[str, tuple[Path, ...]] = {
    "InitConfiguration": _NEW_OF_NODE,
    "ClusterConfiguration": (
        *((name, "extraEnvs") for name in _COMPONENTS),
        ("etcd", "local", "extraEnvs"),
        ("etcd", "external", "httpEndpoints"),
        ("dns", "disabled"),
        ("proxy",),
        ("encryptionAlgorithm",),
        ("certificateValidityPeriod",),
        ("caCertificateValidityPeriod",),
    ),
    "JoinConfiguration": _NEW_OF_NODE,
}
_HEALTH = "controlPlaneComponentHealthCheck"


def migrate(kind: str, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, str]], list[Problem]]:
    """The document as v1beta4 has it, timeouts that belong to documents by their kind, and what cannot be migrated."""
    made = {**copy.deepcopy(document), "apiVersion": KUBEADM}
    problems = [
        Problem(path, "is a field of v1beta4, and the document is one of v1beta3", _HINT)
        for path in _NEW[kind]
        if _take(made, path) is not None
    ]
    for path in _FLAGS[kind]:
        problems += _flags(made, path)
    timeouts: dict[str, dict[str, str]] = {}
    for path, name, kinds in _timeouts(kind):
        value = _take(made, path)
        if isinstance(value, str):
            timeouts.update({each: {name: value} for each in kinds})
        elif value is not None:
            problems.append(Problem(path, "must be text, like 4m0s"))
    if made.get("discovery") == {}:
        del made["discovery"]
    return made, timeouts, problems


def _timeouts(kind: str) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Where one stands in v1beta3, its name in v1beta4, and the kinds that have it there."""
    if kind == "ClusterConfiguration":
        yield ("apiServer", "timeoutForControlPlane"), _HEALTH, ("InitConfiguration", "JoinConfiguration")
    if kind == "JoinConfiguration":
        yield ("discovery", "timeout"), "discovery", ("JoinConfiguration",)


def _flags(document: dict[str, Any], path: Path) -> Iterator[Problem]:
    """Turn a mapping of flags into a list."""
    holder = _at(document, path[:-1])
    flags = holder.get(path[-1]) if isinstance(holder, dict) else None
    if isinstance(flags, dict):
        holder[path[-1]] = [{"name": name, "value": value} for name, value in sorted(flags.items())]
    elif flags is not None:
        del holder[path[-1]]
        yield Problem(path, "is a mapping of flags in v1beta3", _HINT)


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _take(document: dict[str, Any], path: Path) -> Any:
    """The value at the path, which goes; None where there is none."""
    holder = _at(document, path[:-1])
    return holder.pop(path[-1], None) if isinstance(holder, dict) else None
