# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Is the cluster ready? Asked of the API server alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, until

_LEASES = "kube-node-lease"
_BRIEFLY = ("--request-timeout=5s",)
# For each kind: the field that says how many there shall be, and the one that says how many there are.
_COUNTS = {
    "Deployment": (("spec", "replicas"), ("status", "availableReplicas")),
    "StatefulSet": (("spec", "replicas"), ("status", "readyReplicas")),
    "DaemonSet": (("status", "desiredNumberScheduled"), ("status", "numberAvailable")),
}
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Member:
    """A node that there must be. address: its InternalIP; empty for any.

    booted: when it was switched on, in seconds since 1970. What the API server heard of it before does not count: it
    calls a node Ready for most of a minute after it has gone. 0: unknown.
    """

    address: str = ""
    booted: int = 0


@dataclass(frozen=True)
class Asked:
    """nodes: by name. ready: False where there is no pod network: nodes need only be known.

    whole: whether these are all nodes, so that every workload can be available. namespaces: whose workloads; what
    people run may be broken in a cluster that is fine.
    """

    nodes: Mapping[str, Member]
    namespaces: Sequence[str]
    ready: bool = True
    whole: bool = True


def wait(kubectl: Kubectl, asked: Asked, *, timeout: float) -> None:
    """Return when every node and what the cluster itself runs there is ready. timeout: seconds."""

    def look() -> Iterator[str]:
        found = kubectl.items("nodes,leases,pods,deployments,statefulsets,daemonsets", "--all-namespaces")
        yield from missing(found, asked)

    until(look, timeout=timeout, what="the cluster is not ready", explain=lambda: explain(kubectl))


def missing(found: Sequence[Item], asked: Asked) -> Iterator[str]:
    """What is not as it should be, a line each."""
    own = [item for item in found if item["metadata"].get("namespace") in asked.namespaces]
    yield from missing_nodes(found, asked.nodes, ready=asked.ready)
    yield from silent_nodes(found, asked.nodes)
    if asked.ready:
        yield from missing_pods(own, asked.nodes)
        yield from missing_workloads(own) if asked.whole else ()


def missing_nodes(found: Sequence[Item], nodes: Mapping[str, Member], *, ready: bool) -> Iterator[str]:
    """A line for each node that is not there, not Ready, or at another address."""
    there = {item["metadata"]["name"]: item for item in found if item["kind"] == "Node"}
    for name, member in nodes.items():
        if name not in there:
            yield f"node {name} has not joined"
            continue
        status = there[name]["status"]
        addresses = [entry["address"] for entry in status.get("addresses", []) if entry["type"] == "InternalIP"]
        if member.address and member.address not in addresses:
            yield f"node {name} has the address {', '.join(addresses) or 'none'}, not {member.address}"
        condition = next((entry for entry in status.get("conditions", []) if entry["type"] == "Ready"), {})
        if ready and condition.get("status") != "True":
            yield f"node {name} is not Ready: {condition.get('message', 'it has not reported yet')}"


def silent_nodes(found: Sequence[Item], nodes: Mapping[str, Member]) -> Iterator[str]:
    """A line for each node whose kubelet has not reported since the machine was switched on.

    It registers the node, writes its status and renews its lease; the lease of a new node comes some seconds late.
    """
    heard: dict[str, float] = {}
    for item in found:
        metadata, times = item["metadata"], []
        if item["kind"] == "Node":
            conditions = item["status"].get("conditions", [])
            times = [metadata.get("creationTimestamp", ""), *(c.get("lastHeartbeatTime", "") for c in conditions)]
        elif item["kind"] == "Lease" and metadata["namespace"] == _LEASES:
            times = [item["spec"].get("renewTime", "")]
        if times:
            heard[metadata["name"]] = max(heard.get(metadata["name"], 0), *map(_seconds, times))
    for name, member in nodes.items():
        if heard.get(name, 0) < member.booted:
            yield f"node {name} has not reported since it was switched on"


def missing_pods(found: Sequence[Item], nodes: Mapping[str, Member]) -> Iterator[str]:
    """A line for each pod that comes with every node and is not ready there, and for a node that has none."""
    bare = set(nodes)
    for item in found:
        node = item["spec"].get("nodeName", "") if item["kind"] == "Pod" else ""
        owners = item["metadata"].get("ownerReferences", [])
        if node in nodes and any(owner["kind"] == "DaemonSet" for owner in owners):
            bare.discard(node)
            if not _runs(item, since=nodes[node].booted):
                yield f"Pod {item['metadata']['namespace']}/{item['metadata']['name']} on {node} is not ready"
    yield from (f"no pod runs on {node}" for node in sorted(bare))


def missing_workloads(found: Sequence[Item]) -> Iterator[str]:
    """A line for each workload of which something is not available, or whose controller has not looked at it yet."""
    for item in found:
        if item["kind"] not in _COUNTS:
            continue
        wanted, available = (_at(item, path) for path in _COUNTS[item["kind"]])
        metadata = item["metadata"]
        seen = item.get("status", {}).get("observedGeneration", 0) >= metadata.get("generation", 0)
        if not seen or available < wanted:
            name = f"{item['kind']} {metadata['namespace']}/{metadata['name']}"
            yield f"{name}: {available} of {wanted} available"


def explain(kubectl: Kubectl) -> str:
    """Why pods do not run: what their containers wait for, and the last warnings; or that the API server is silent."""
    pods = ("pods", "--output=wide", "--field-selector=status.phase!=Succeeded")
    warnings = ("events", "--field-selector=type=Warning", "--sort-by=.lastTimestamp")
    try:
        there, last = (
            kubectl.text("get", *what, "--all-namespaces", *_BRIEFLY, timeout=10) for what in (pods, warnings)
        )
    except OhmykubeError as error:
        return error.message
    return f"{there.strip()}\n{chr(10).join(last.splitlines()[-15:])}"


def _at(item: Item, path: tuple[str, str]) -> int:
    return int(item.get(path[0], {}).get(path[1]) or 0)


def _runs(pod: Item, *, since: int) -> bool:
    """Ready, by containers that were started after the machine."""
    conditions = {entry["type"]: entry["status"] for entry in pod["status"].get("conditions", [])}
    states = [status.get("state", {}).get("running", {}) for status in pod["status"].get("containerStatuses", [])]
    return conditions.get("Ready") == "True" and all(_seconds(state.get("startedAt", "")) >= since for state in states)


def _seconds(time: str) -> float:
    """Since 1970, of a time as the API writes it; 0 where there is none."""
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() if time else 0
