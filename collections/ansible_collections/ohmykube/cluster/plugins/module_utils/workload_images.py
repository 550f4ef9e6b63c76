# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which images the workloads of a manifest run. Pure.

What an operator starts of its own accord, by names in its arguments or in objects of its own kinds, no manifest tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

_WORKLOADS = frozenset(
    {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "Job",
        "Pod",
        "PodTemplate",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
    }
)


def workload_images(text: str, name: str = "the manifest") -> list[str]:
    """In order, each once. name: for messages. Raises OhmykubeError `manifest.invalid`."""
    try:
        found = [image for document in kube_yaml.documents(text) for image in _of(document)]
    except yaml.YAMLError as error:
        raise OhmykubeError(
            "manifest.invalid",
            f"{name} is no YAML: {' '.join(str(error).split())}",
            hint="`kubectl apply --dry-run=client -f FILE` says what Kubernetes makes of it.",
            context={"path": name},
        ) from error
    return list(dict.fromkeys(found))


def _of(document: Any) -> Iterator[str]:
    if not isinstance(document, Mapping):
        return
    kind = document.get("kind")
    if isinstance(kind, str) and kind.endswith("List"):
        for item in document.get("items") or []:
            yield from _of(item)
    elif kind in _WORKLOADS:
        for part in ("spec", "template"):  # a PodTemplate has no spec of its own
            yield from _within(document.get(part))


def _within(value: Any) -> Iterator[str]:
    """`image:` of a container at any depth; of a volume it is an object with a reference."""
    if isinstance(value, Mapping):
        image = value.get("image")
        if isinstance(image, Mapping):
            image = image.get("reference")
        if isinstance(image, str) and image:
            yield image
        for inner in value.values():
            yield from _within(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _within(inner)
