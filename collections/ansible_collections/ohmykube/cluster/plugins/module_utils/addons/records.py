# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a cluster knows of its add-ons. Each has a record there, a ConfigMap, and each of its objects a label.

The label says what belongs to an add-on; the record, of which kinds there may be such objects, since asking for every
kind that an API server knows takes seconds. Standard library only: it runs on nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import LABEL
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl

NAMESPACE = "kube-system"
_RECORD = "ohmykube.dev/addon-record"  # on the record: the add-on's name
_UNKNOWN = "the server doesn't have a resource type"

Item = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """kinds: as kubectl takes them, of all versions that there have been. priority: only while there is the add-on."""

    name: str
    version: str = ""
    kinds: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    priority: int = 50

    @property
    def manifest(self) -> Item:
        metadata = {"name": f"ohmykube-addon-{self.name}", "namespace": NAMESPACE, "labels": {_RECORD: self.name}}
        data = {"version": self.version, "kinds": "\n".join(self.kinds), "requires": "\n".join(self.requires)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def read(kubectl: Kubectl) -> dict[str, Record]:
    """Of every add-on that is in the cluster, or was begun to be put there or taken away."""
    found = kubectl.items("configmaps", f"--namespace={NAMESPACE}", f"--selector={_RECORD}")
    return {record.name: record for record in map(_record, found)}


def objects(kubectl: Kubectl, names: Sequence[str], kinds: Iterable[str], *, labelled: bool = True) -> list[Item]:
    """What there is of these kinds in all namespaces, that belongs to the add-ons; labelled False: to anybody.

    A kind that the API server does not know has no objects.
    """
    asked = list(dict.fromkeys(kinds))
    if not asked:
        return []
    selector = [f"--selector={LABEL} in ({','.join(names)})"] if labelled else []
    try:
        return kubectl.items(",".join(asked), "--all-namespaces", *selector)
    except OhmykubeError as error:
        if _UNKNOWN not in error.context.get("output", ""):
            raise
    if len(asked) == 1:
        return []
    return [item for kind in asked for item in objects(kubectl, names, [kind], labelled=labelled)]


def _record(item: Item) -> Record:
    data = item.get("data") or {}
    lines = {key: tuple((data.get(key) or "").split()) for key in ("kinds", "requires")}
    return Record(item["metadata"]["labels"][_RECORD], data.get("version", ""), **lines)
