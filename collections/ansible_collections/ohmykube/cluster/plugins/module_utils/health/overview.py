# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The whole cluster at a glance: one question to its API server, and whatever else is asked beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import LABEL
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import certificates, requests
from ansible_collections.ohmykube.cluster.plugins.module_utils.health.cluster import NAMESPACES, node
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.readiness import missing_workloads

_KINDS = "nodes,pods,services,deployments,statefulsets,daemonsets"
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"
_ANSWER = "--request-timeout=5s"
_TIMEOUT = 8  # seconds for kubectl, which tries more than once
Item = Mapping[str, Any]


def look(host: Host) -> dict[str, Any]:
    """What the module cluster_overview returns. An API server that does not answer is told as words."""
    kubectl = Kubectl(host)
    with ThreadPoolExecutor(3) as pool:
        objects = pool.submit(kubectl.json, "get", _KINDS, "--all-namespaces", _ANSWER, timeout=_TIMEOUT)
        metrics = pool.submit(_metrics, kubectl)
        ends = pool.submit(certificates.look, host)
        told: dict[str, Any] = {"certificates": [asdict(each) for each in ends.result()]}
        try:
            return {"problem": "", **told, **summary(objects.result()["items"], metrics.result())}
        except OhmykubeError as error:
            return {"problem": error.message, **told, **summary([], {})}


def summary(found: Sequence[Item], used: Mapping[str, Item]) -> dict[str, Any]:
    """Of all objects. used: by the name of a node."""
    kinds: dict[str, list[Item]] = {}
    for item in found:
        kinds.setdefault(item["kind"], []).append(item)
    asked = requests.by_node(kinds.get("Pod", []))
    return {
        "nodes": [_node(item, asked, used) for item in kinds.get("Node", [])],
        "workloads": list(_workloads(item for kind in _WORKLOADS for item in kinds.get(kind, []))),
        "load_balancers": [
            _balancer(item) for item in kinds.get("Service", []) if item["spec"].get("type") == "LoadBalancer"
        ],
    }


def _node(item: Item, asked: Mapping[str, Item], used: Mapping[str, Item]) -> dict[str, Any]:
    name, status = item["metadata"]["name"], item["status"]
    allocatable = status.get("allocatable", {})
    here = {**dict.fromkeys((*requests.RESOURCES, "pods"), 0.0), **asked.get(name, {})}
    return {
        **node(item),
        "version": status.get("nodeInfo", {}).get("kubeletVersion", ""),
        "allocatable": {**requests.amounts(allocatable), "pods": float(requests.quantity(allocatable.get("pods", 0)))},
        "requested": here,
        "used": used.get(name),
    }


def _workloads(items: Iterable[Item]) -> Iterator[dict[str, str]]:
    """What the cluster itself and its add-ons run, and what of each is missing."""
    for item in items:
        metadata = item["metadata"]
        addon = (metadata.get("labels") or {}).get(LABEL, "")
        if addon or metadata["namespace"] in NAMESPACES:
            words = "; ".join(missing_workloads([item]))
            yield {
                "kind": item["kind"],
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "addon": addon,
                "missing": words.rpartition(": ")[2],
            }


def _balancer(item: Item) -> dict[str, Any]:
    """addresses: none while nothing has given it one."""
    given = item.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return {
        "namespace": item["metadata"]["namespace"],
        "name": item["metadata"]["name"],
        "addresses": [entry.get("ip") or entry.get("hostname", "") for entry in given],
        "ports": [port["port"] for port in item["spec"].get("ports") or []],
    }


def _metrics(kubectl: Kubectl) -> dict[str, dict[str, float]]:
    """What nodes use, by name; nothing where nobody measures it."""
    try:
        items = json.loads(kubectl.text("get", f"--raw={_METRICS}", _ANSWER, timeout=_TIMEOUT))["items"]
        return {item["metadata"]["name"]: requests.amounts(item["usage"]) for item in items}
    except (OhmykubeError, ValueError, LookupError, TypeError):
        return {}
