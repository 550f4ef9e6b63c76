# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Rook's manifests, fitted to a cluster. Pure; runs on the controller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook.objects import tolerations

_DOCUMENT = re.compile(r"^---\s*$", re.MULTILINE)
_CRD = re.compile(r"^kind: CustomResourceDefinition$", re.MULTILINE)
_KINDS = frozenset({"Deployment", "Namespace", "OperatorConfig"})  # those that are changed, so they must be there
_PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}  # OSDs and drivers work on the node's own devices


def upstream(texts: Sequence[str], *, taints: Sequence[str], replicas: int) -> str:
    """taints: keys of nodes where pods may use volumes too. replicas: of what makes volumes.

    CRDs are most of the text. They stay as they are, unread: it would take seconds. Of no files, which is what there is
    in check mode before they were fetched, nothing is made.
    """
    documents = [part for text in texts for part in _DOCUMENT.split(text) if part.strip()]
    if not documents:
        return ""
    crds = [part for part in documents if _CRD.search(part)]
    items = [item for part in documents if not _CRD.search(part) for item in kube_yaml.documents(part)]
    try:
        if absent := _KINDS - {item["kind"] for item in items}:
            raise KeyError(", ".join(sorted(absent)))
        for item in items:
            _change(item, tolerations(taints), replicas)
    except (KeyError, TypeError) as error:
        raise OhmykubeError(
            "manifest.unknown",
            f"Rook's manifests are not built as expected: {error!r}",
            hint="use a version that the catalogue knows",
        ) from error
    return "\n---\n".join([*(part.strip("\n") for part in crds), kube_yaml.text(items)])


def _change(item: dict[str, Any], tolerated: list[dict[str, Any]], replicas: int) -> None:
    if item["kind"] == "Namespace":
        item["metadata"].setdefault("labels", {}).update(_PRIVILEGED)
    elif item["kind"] == "Deployment":
        item["spec"]["template"]["spec"].setdefault("tolerations", []).extend(tolerated)
    elif item["kind"] == "OperatorConfig":
        drivers = item["spec"]["driverSpecDefaults"]
        drivers["nodePlugin"]["tolerations"] = tolerated
        drivers["controllerPlugin"].update(replicas=replicas, tolerations=tolerated)
