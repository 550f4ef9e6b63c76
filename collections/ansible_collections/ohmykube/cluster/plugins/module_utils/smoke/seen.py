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
    """With the addresses of one family, as URLs have them: IPv6 in brackets.

    pods, node_pods: by node; node_pods are in the node's own network. nodes: address by name.
    service, load_balancer: addresses; the latter is empty where there is none.
    """

    family: str
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


def read(items: Sequence[Item], nodes: Sequence[Item]) -> list[Seen]:
    """Once for each family of the cluster, the first one first. nodes: as the API server gives them.

    items: pods and services, of which nothing is missing any more.
    """
    return [_read(items, nodes, family) for family in _service(items)["spec"]["ipFamilies"]]


def _read(items: Sequence[Item], nodes: Sequence[Item], family: str) -> Seen:
    service = _service(items)
    return Seen(
        family=family,
        nodes={node["metadata"]["name"]: _of(family, _internal(node)) for node in nodes},
        pods=_pods(items, "pod", family),
        node_pods=_pods(items, "node", family),
        service=_of(family, service["spec"]["clusterIPs"]),
        node_port=service["spec"]["ports"][0]["nodePort"],
        load_balancer=_of(family, _balancer(service)),
    )


def _of(family: str, addresses: Sequence[str]) -> str:
    """The first one of the family, for a URL; empty where there is none."""
    found = next((each for each in addresses if (":" in each) == (family == "IPv6")), "")
    return f"[{found}]" if ":" in found else found


def _pods(items: Sequence[Item], app: str, family: str = "IPv4") -> dict[str, Pod]:
    return {
        item["spec"]["nodeName"]: Pod(
            item["metadata"]["name"], _of(family, [each["ip"] for each in item["status"]["podIPs"]])
        )
        for item in items
        if item["kind"] == "Pod" and item["metadata"].get("labels", {}).get("app") == app and _ready(item)
    }


def _ready(pod: Item) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def _service(items: Sequence[Item]) -> Item:
    return next((item for item in items if item["kind"] == "Service"), {})


def _balancer(service: Item) -> list[str]:
    entries = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return [entry["ip"] for entry in entries if "ip" in entry]


def _internal(node: Item) -> list[str]:
    return [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
