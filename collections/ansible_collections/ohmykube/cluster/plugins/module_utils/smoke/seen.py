# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What the API server made of the objects: where each pod runs and what the service is called. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    name: str
    address: str


@dataclass(frozen=True)
class Seen:
    """pods, node_pods: by node; node_pods are in the node's own network. nodes: address by name.

    service, load_balancer: addresses; the latter is empty where there is none.
    """

    nodes: Mapping[str, str]
    pods: Mapping[str, Pod]
    node_pods: Mapping[str, Pod]
    service: str
    node_port: int
    load_balancer: str


def missing(items: Sequence[Item], nodes: Sequence[str], *, balanced: bool) -> Iterator[str]:
    """A line for each pod that does not run yet, and one for a load balancer without an address."""
    for app in ("pod", "node"):
        running = _pods(items, app)
        yield from (f"no {app} runs on {node}" for node in nodes if node not in running)
    if not _pods(items, "web"):
        yield "the pod behind the service does not run"
    if balanced and not _balancer(_service(items)):
        yield "the load balancer has no address"


def read(items: Sequence[Item], nodes: Sequence[Item]) -> Seen:
    """items: pods and services, of which nothing is missing any more. nodes: as the API server gives them."""
    service = _service(items)
    return Seen(
        nodes={node["metadata"]["name"]: _internal(node) for node in nodes},
        pods=_pods(items, "pod"),
        node_pods=_pods(items, "node"),
        service=service["spec"]["clusterIP"],
        node_port=service["spec"]["ports"][0]["nodePort"],
        load_balancer=_balancer(service),
    )


def _pods(items: Sequence[Item], app: str) -> dict[str, Pod]:
    return {
        item["spec"]["nodeName"]: Pod(item["metadata"]["name"], item["status"]["podIP"])
        for item in items
        if item["kind"] == "Pod" and item["metadata"].get("labels", {}).get("app") == app and _ready(item)
    }


def _ready(pod: Item) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def _service(items: Sequence[Item]) -> Item:
    return next((item for item in items if item["kind"] == "Service"), {})


def _balancer(service: Item) -> str:
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return next((entry["ip"] for entry in entries if "ip" in entry), "")


def _internal(node: Item) -> str:
    return next((each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"), "")
