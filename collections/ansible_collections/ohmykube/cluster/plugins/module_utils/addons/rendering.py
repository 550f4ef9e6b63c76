# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""From an add-on to what is applied: patched, and with the label by which its objects are found again. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import Addon
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import LABEL, key
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.random_secrets import references
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.objects import CLUSTERS_OWN
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

Object = dict[str, Any]


def render(addon: Addon, texts: Sequence[str]) -> list[Object]:
    """Its objects. texts: its manifests, or what helm makes of its chart. Raises OhmykubeError `addon.*`, `chart.*`."""
    items = [copy.deepcopy(item) for text in texts for item in _objects(addon, text)]
    for patch in addon.patches:
        _patch(addon, items, patch)
    random = {key(item) for item in references(addon.secrets)}
    for item in items:
        name = item["metadata"]["name"]
        if key(item) in random:
            words = f"{addon.name} has the Secret {name}, so that nothing in it can be made up on the cluster"
            raise OhmykubeError("addon.invalid", words, hint="leave it out there, or in `secrets`", exit_code=2)
        if item["kind"] == "Namespace" and name in CLUSTERS_OWN:
            words = f"{addon.name} has the namespace {name}, which is the cluster's own and would go with it"
            raise OhmykubeError("addon.invalid", words, hint="leave that object out", exit_code=2)
        if item["kind"] == "Job":  # one that vanishes when it is done would run anew each time
            item["spec"].pop("ttlSecondsAfterFinished", None)
        item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), LABEL: addon.name}
    return items


def images(addon: Addon) -> list[str]:
    """What is known of an add-on without the catalogue: those it names, and those of its own manifests."""
    found = workload_images(kube_yaml.text(render(addon, list(addon.manifests.values())))) if addon.manifests else []
    return list(dict.fromkeys([*addon.images, *found]))


def addresses(addon: Addon) -> dict[str, str]:
    """Those that its own manifests fix, by the Service."""
    items = render(addon, list(addon.manifests.values())) if addon.manifests else []
    services = {item["metadata"]["name"]: item.get("spec") or {} for item in items if item["kind"] == "Service"}
    fixed = {name: str(spec.get("clusterIP") or "None") for name, spec in services.items()}
    return {name: address for name, address in fixed.items() if address != "None"}


def collisions(rendered: Mapping[str, Sequence[Object]]) -> None:
    """Raise OhmykubeError `addon.shared` where an object belongs to two: one of them would take it from the other."""
    owners: dict[tuple[str, ...], str] = {}
    problems = []
    for name, items in rendered.items():
        for item in items:
            other = owners.setdefault(key(item), name)
            if other != name:
                words = f"{item['kind']} {item['metadata']['name']} is part of the add-ons {other} and {name}"
                hint = "take it out of one of them; one can require the other"
                problems.append(OhmykubeError("addon.shared", words, hint=hint, exit_code=2))
    raise_all(problems)


def namespace(addon: Addon) -> str:
    """Of its chart."""
    return addon.namespace or addon.name


def _objects(addon: Addon, text: str) -> Iterator[Object]:
    if addon.chart:
        yield from objects.objects(text, addon.name, namespace(addon))
        return
    for document in kube_yaml.documents(text):
        yield from document["items"] if str(document["kind"]).endswith("List") else [document]


def _patch(addon: Addon, items: Sequence[Object], patch: Mapping[str, Any]) -> None:
    meant = [item for item in items if _is_meant(item, patch)]
    if not meant:
        raise _misfit(addon, patch, "there is none in its manifest")
    for item in meant:
        for step in patch["patch"]:
            try:
                _step(item, step)
            except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
                raise _misfit(addon, patch, f"{step['op']} {step['path']} finds no place for it") from error


def _is_meant(item: Object, patch: Mapping[str, Any]) -> bool:
    metadata = item["metadata"]
    namespace = patch.get("namespace", metadata.get("namespace"))
    return (item["kind"], metadata["name"], metadata.get("namespace")) == (patch["kind"], patch["name"], namespace)


def _step(item: Object, step: Mapping[str, Any]) -> None:
    """One step of a JSON patch (RFC 6902)."""
    *way, last = (part.replace("~1", "/").replace("~0", "~") for part in step["path"][1:].split("/"))
    here: Any = item
    for part in way:
        here = here[int(part)] if isinstance(here, list) else here[part]
    value = copy.deepcopy(step.get("value"))
    if isinstance(here, list):
        index = len(here) if last == "-" else int(last)
        if step["op"] == "add":
            here.insert(index, value)
        elif step["op"] == "replace":
            here[index] = value
        else:
            del here[index]
    elif step["op"] == "remove":
        del here[last]
    elif step["op"] == "add" or last in here:
        here[last] = value
    else:
        raise KeyError(last)


def _misfit(addon: Addon, patch: Mapping[str, Any], words: str) -> OhmykubeError:
    return OhmykubeError(
        "addon.patch",
        f"{addon.name}: the patch of {patch['kind']} {patch['name']} does not fit: {words}",
        hint="use the version of the manifest that the patch was written for",
        exit_code=2,
    )
