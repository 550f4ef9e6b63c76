# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The cluster as its API server sees it: nodes, what the cluster itself runs, and who answers for DNS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.readiness import missing_workloads

# What the cluster itself runs. What people run in others may be broken in a cluster that is fine.
NAMESPACES = ("kube-system", "kube-flannel", "local-path-storage", "metallb-system", "rook-ceph")
_KINDS = "nodes,deployments,statefulsets,daemonsets"
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_ANSWER = "--request-timeout=5s"
_TIMEOUT = 8  # seconds for kubectl, which tries more than once
Item = Mapping[str, Any]


def nodes_and_workloads(kubectl: Kubectl) -> dict[str, Any]:
    """Raises OhmykubeError where the API server does not answer."""
    found = kubectl.json("get", _KINDS, "--all-namespaces", _ANSWER, timeout=_TIMEOUT)["items"]
    own = [item for item in found if item["metadata"].get("namespace") in NAMESPACES]
    return {
        "nodes": [node(item) for item in found if item["kind"] == "Node"],
        "unavailable": list(missing_workloads(own)),
    }


def dns_endpoints(kubectl: Kubectl) -> int:
    """How many pods answer for DNS. Raises as above."""
    slices = ("endpointslices.discovery.k8s.io", "--namespace=kube-system", "--selector=k8s-app=kube-dns")
    return ready_endpoints(kubectl.json("get", *slices, _ANSWER, timeout=_TIMEOUT)["items"])


def node(item: Item) -> dict[str, Any]:
    """words: the kubelet's own on why it is not ready. pressures: what it lacks."""
    status = item["status"]
    conditions = {entry["type"]: entry for entry in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    addresses = [entry["address"] for entry in status.get("addresses", []) if entry["type"] == "InternalIP"]
    return {
        "name": item["metadata"]["name"],
        "ready": ready.get("status") == "True",
        "words": ready.get("message", "it has not reported yet"),
        "address": addresses[0] if addresses else "",
        "cordoned": bool(item["spec"].get("unschedulable")),
        "pressures": [kind for kind in _PRESSURES if conditions.get(kind, {}).get("status") == "True"],
    }


def ready_endpoints(slices: Iterable[Item]) -> int:
    """Different addresses in them that are ready; a condition that is not told counts as ready."""
    return len(
        {
            address
            for item in slices
            for endpoint in item.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint["addresses"]
        }
    )
