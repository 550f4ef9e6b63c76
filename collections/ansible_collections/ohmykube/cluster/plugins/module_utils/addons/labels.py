# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""How the objects of an add-on are known in a cluster. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LABEL = "ohmykube.dev/addon"  # on each object: the add-on's name


def kind(item: Mapping[str, Any]) -> str:
    """As kubectl takes it: Deployment.apps, Namespace."""
    group = item["apiVersion"].rpartition("/")[0]
    return f"{item['kind']}.{group}" if group else str(item["kind"])


def key(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """What it is, whatever the version of its API: kind, namespace, name. The namespace default is empty too."""
    metadata = item["metadata"]
    namespace = metadata.get("namespace") or ""
    return kind(item), "" if namespace == "default" else namespace, metadata["name"]
