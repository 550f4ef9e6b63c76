# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Labels, annotations and taints of nodes: ours are kept as wanted, those of others stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, with_file

# Remembers on the node itself what we set, so that it can be taken back.
RECORD = "ohmykube.dev/marks"
Taint = dict[str, str]


@dataclass(frozen=True)
class Marks:
    """As wished. taints: `key=value:Effect`."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[str] = ()


def plan(kubectl: Kubectl, wanted: Marks, node: Mapping[str, Any]) -> list[Change]:
    """The one patch that makes the node as wanted; none where it is."""
    patch = difference(wanted, node)
    if not patch:
        return []
    change = {"metadata": patch.get("metadata", {}), "spec": patch.get("spec", {})}
    return [
        Change(wanted.name, _shown(node), _shown(_patched(node, change)), lambda: _patch(kubectl, wanted.name, patch))
    ]


def difference(wanted: Marks, node: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch (RFC 7386) for the node; empty where nothing differs."""
    metadata = node["metadata"]
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    old = json.loads(annotations.get(RECORD, "{}"))
    record = {
        "labels": sorted(wanted.labels),
        "annotations": sorted(wanted.annotations),
        "taints": sorted(wanted.taints),
    }
    patch: dict[str, Any] = {}
    changed_labels = _keys(wanted.labels, labels, old.get("labels", []))
    changed_annotations = _keys(wanted.annotations, annotations, old.get("annotations", []))
    if record != old and any([*record.values(), *old.values()]):
        changed_annotations[RECORD] = json.dumps(record, sort_keys=True)
    taints = _taints(wanted.taints, node["spec"].get("taints", []), old.get("taints", []))
    if changed_labels:
        patch.setdefault("metadata", {})["labels"] = changed_labels
    if changed_annotations:
        patch.setdefault("metadata", {})["annotations"] = changed_annotations
    if taints is not None:
        patch["spec"] = {"taints": taints}
    return patch


def parse_taint(text: str) -> Taint:
    """`key=value:Effect` or `key:Effect`."""
    key, _, effect = text.rpartition(":")
    name, _, value = key.partition("=")
    return {"key": name, "effect": effect, **({"value": value} if value else {})}


def _keys(wanted: Mapping[str, str], there: Mapping[str, str], ours: Sequence[str]) -> dict[str, str | None]:
    changed: dict[str, str | None] = {key: str(value) for key, value in wanted.items() if there.get(key) != str(value)}
    changed.update({key: None for key in ours if key not in wanted and key in there})
    return changed


def _taints(wanted: Sequence[str], there: Sequence[Taint], ours: Sequence[str]) -> list[Taint] | None:
    """The whole list, which is how the API takes it; None where it is right."""
    mine = [parse_taint(text) for text in wanted]
    gone = {_identity(parse_taint(text)) for text in [*ours, *wanted]}
    made = [taint for taint in there if _identity(taint) not in gone] + mine
    same = sorted(map(_plain, made)) == sorted(map(_plain, there))
    return None if same else made


def _identity(taint: Taint) -> tuple[str, str]:
    return taint["key"], taint["effect"]


def _plain(taint: Taint) -> tuple[str, str, str]:
    return taint["key"], taint.get("value", ""), taint["effect"]


def _patch(kubectl: Kubectl, name: str, patch: Mapping[str, Any]) -> None:
    with_file(
        json.dumps(patch), lambda path: kubectl.text("patch", "node", name, "--type=merge", f"--patch-file={path}")
    )


def _patched(node: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    metadata = node["metadata"]
    merged = {part: {**metadata.get(part, {}), **patch["metadata"].get(part, {})} for part in ("labels", "annotations")}
    kept = {part: {key: value for key, value in both.items() if value is not None} for part, both in merged.items()}
    return {"metadata": kept, "spec": {"taints": patch["spec"].get("taints", node["spec"].get("taints", []))}}


def _shown(node: Mapping[str, Any]) -> str:
    metadata = node["metadata"]
    shown = {
        "labels": metadata.get("labels", {}),
        "annotations": metadata.get("annotations", {}),
        "taints": sorted(map(_plain, node["spec"].get("taints", []))),
    }
    return json.dumps(shown, indent=1, sort_keys=True) + "\n"
