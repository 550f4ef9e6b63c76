# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What is taken of a rendered chart: its objects, each with its namespace, and none that helm alone would run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all

Object = dict[str, Any]

CLUSTERS_OWN = ("default", "kube-system", "kube-public", "kube-node-lease")
_HOOK = "helm.sh/hook"
# Hooks that nothing here would ever run.
_NEVER = frozenset(
    {"test", "test-success", "test-failure", "pre-delete", "post-delete", "pre-rollback", "post-rollback"}
)
# Kubernetes' own kinds that are in no namespace. Those of others say it in their definition.
_EVERYWHERE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "DeviceClass",
        "DeviceTaintRule",
        "FlowSchema",
        "GatewayClass",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersionMigration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)


def objects(text: str, name: str, namespace: str) -> list[Object]:
    """Those of the rendered text, in helm's order, behind their namespace. Raises OhmykubeError `chart.*`."""
    found, hooks, problems = [], [], []
    for item in _documents(text, name):
        metadata = item.get("metadata")
        if not item.get("apiVersion") or not item.get("kind") or not isinstance(metadata, dict):
            problems.append(_invalid(f"{name} renders something that has no apiVersion, kind and metadata"))
            continue
        if not metadata.get("name"):
            problems.append(
                _invalid(f"{name} renders a {item['kind']} without a name, which would be made anew each time")
            )
            continue
        events = str((metadata.get("annotations") or {}).get(_HOOK) or "")
        if not events:
            found.append(item)
        elif not {event.strip() for event in events.split(",")} <= _NEVER:
            hooks.append(f"{item['kind']} {metadata['name']} ({events})")
    if hooks:
        words = f"{name} has hooks, which only helm itself runs: {'; '.join(hooks)}"
        hint = "values of most charts can turn them off; docs/addons.md"
        problems.append(OhmykubeError("chart.hooks", words, hint=hint, exit_code=2))
    raise_all(problems)
    _place(found, namespace)
    there = {item["metadata"]["name"] for item in found if item["kind"] == "Namespace"}
    if namespace in there or namespace in CLUSTERS_OWN:
        return found
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, *found]


def refuse_random(release: Release, first: str, second: str) -> None:
    """Raise OhmykubeError `chart.random` where two renderings differ in objects: each `up` would change them."""
    one, other = (
        {_called(item): item for item in objects(text, release.name, release.namespace)} for text in (first, second)
    )
    if differing := sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)):
        words = f"{release.name} is rendered otherwise each time: {', '.join(differing)}"
        hint = "it makes passwords or certificates up; name yours by its values, or a Secret; docs/addons.md"
        raise OhmykubeError("chart.random", words, hint=hint, exit_code=2)


def _documents(text: str, name: str) -> Iterator[Object]:
    try:
        documents = list(kube_yaml.documents(text))
    except yaml.YAMLError as error:
        raise _invalid(f"{name} renders what is no YAML: {getattr(error, 'problem', None) or 'a character'}") from error
    for document in documents:
        if not isinstance(document, dict):
            raise _invalid(f"{name} renders something that is no object")
        listed = str(document.get("kind")).endswith("List") and isinstance(document.get("items"), list)
        yield from document["items"] if listed else [document]


def _place(items: Sequence[Object], namespace: str) -> None:
    """Templates leave the release's namespace to helm, which knows of each kind whether it is in one."""
    defined = {
        (item["spec"]["group"], item["spec"]["names"]["kind"]): item["spec"].get("scope")
        for item in items
        if item["kind"] == "CustomResourceDefinition"
    }
    for item in items:
        scope = defined.get((item["apiVersion"].rpartition("/")[0], item["kind"]))
        if item["kind"] not in _EVERYWHERE and scope != "Cluster":
            item["metadata"].setdefault("namespace", namespace)


def _called(item: Object) -> str:
    metadata = item["metadata"]
    return "/".join(part for part in (item["kind"], metadata.get("namespace", ""), metadata["name"]) if part)


def _invalid(words: str) -> OhmykubeError:
    return OhmykubeError("chart.invalid", words, hint="`helm lint` shows more", exit_code=2)
