# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What pods ask of a node, as the scheduler counts it: CPUs and bytes of memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

RESOURCES = ("cpu", "memory")
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_ENDED = ("Succeeded", "Failed")
Item = Mapping[str, Any]


def quantity(text: object) -> Decimal:
    """A number as the API writes it: 250m, 1.5, 128Mi, 2e3. ValueError where it is none."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    number, suffix, exponent = Decimal(found[1]), found[2] or "", found[3]
    if suffix.endswith("i"):
        return number * 1024 ** ("KMGTPE".index(suffix[0]) + 1)
    return number.scaleb(int(exponent) if exponent else _DECIMAL[suffix])


def amounts(values: Item) -> dict[str, float]:
    """CPUs and bytes among them; what is not told is nothing."""
    return {name: float(quantity(values.get(name, 0))) for name in RESOURCES}


def by_node(pods: Iterable[Item]) -> dict[str, dict[str, float]]:
    """What the pods on each node ask for, and how many they are. One that has ended asks for nothing."""
    found: dict[str, dict[str, Decimal]] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and pod.get("status", {}).get("phase") not in _ENDED:
            here = found.setdefault(node, dict.fromkeys((*RESOURCES, "pods"), Decimal(0)))
            here["pods"] += 1
            for name in RESOURCES:
                here[name] += asked(pod["spec"], name)
    return {node: {name: float(value) for name, value in here.items()} for node, here in found.items()}


def asked(spec: Item, name: str) -> Decimal:
    """By a whole pod. Containers that prepare it come one after the other, beside the sidecars begun before."""
    overhead = quantity((spec.get("overhead") or {}).get(name, 0))
    whole = _requests(spec)
    if name in whole:
        return quantity(whole[name]) + overhead
    sidecars = most = Decimal(0)
    for container in spec.get("initContainers") or []:
        wants = quantity(_requests(container).get(name, 0))
        if container.get("restartPolicy") == "Always":
            sidecars, wants = sidecars + wants, Decimal(0)
        most = max(most, sidecars + wants)
    together = sum((quantity(_requests(each).get(name, 0)) for each in spec.get("containers") or []), sidecars)
    return max(together, most) + overhead


def _requests(holder: Item) -> Item:
    found: Item = (holder.get("resources") or {}).get("requests") or {}
    return found
