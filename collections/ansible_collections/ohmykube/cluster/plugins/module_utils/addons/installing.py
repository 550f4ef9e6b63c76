# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Bring add-ons into a cluster: those that do not need each other side by side, and the next when these are ready."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import applying, readiness
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import random_secrets, records
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import key
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import waves
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.records import Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, until, with_file

# An upgrade does not take them away, since what people keep would go with them.
_KEPT = (
    "CustomResourceDefinition.apiextensions.k8s.io",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
)
# For kinds that tell by a condition whether they can be used: which one.
_CONDITIONS = {
    "APIService.apiregistration.k8s.io": "Available",
    "CustomResourceDefinition.apiextensions.k8s.io": "Established",
    "Job.batch": "Complete",
}
_WORKLOADS = ("Deployment.apps", "StatefulSet.apps", "DaemonSet.apps")
_SIDE_BY_SIDE = 4  # kubectl takes a tenth of a second of CPU, and control planes have two
_APPLY_TIMEOUT = 120  # seconds for an API or webhook that is still starting


@dataclass(frozen=True)
class Wanted:
    """An add-on as rendered. objects: {apiVersion, kind, metadata} of each in the manifest. See also definition.py."""

    name: str
    manifest: str
    objects: Sequence[Mapping[str, Any]]
    version: str = ""
    requires: Sequence[str] = ()
    priority: int = 50
    secrets: Sequence[str] = ()
    ready: Sequence[str] = ()
    timeout: int = 300
    validate: bool = True

    @property
    def belonging(self) -> set[tuple[str, str, str]]:
        """All that it has, as labels.key says it."""
        return {key(item) for item in (*self.objects, *random_secrets.references(self.secrets))}

    @property
    def kinds(self) -> set[str]:
        return {kind for kind, _, _ in self.belonging}


def install(kubectl: Kubectl, addons: Sequence[Wanted], *, dry_run: bool) -> list[str]:
    """What changed, as `kind/namespace/name`. Where some fail, those beside them are applied all the same."""
    if dry_run and not kubectl.configured():
        return [f"the add-on {addon.name}, in a cluster that is yet to be made" for addon in addons]
    known = records.read(kubectl)
    changes: list[str] = []
    errors: list[OhmykubeError] = []

    def one(addon: Wanted) -> list[str]:
        try:
            return _install(kubectl, addon, known.get(addon.name, Record(addon.name)), dry_run=dry_run)
        except OhmykubeError as error:
            error.message = f"add-on {addon.name}: {error.message}"
            errors.append(error)
            return []

    for wave in waves(addons):
        with ThreadPoolExecutor(max_workers=min(_SIDE_BY_SIDE, len(wave))) as pool:
            changes += [change for found in pool.map(one, wave) for change in found]
        raise_all(errors)
        if not dry_run:
            _wait(kubectl, wave)
    return changes


def missing(kubectl: Kubectl, addons: Mapping[str, Iterable[str]], ready: Iterable[str] = ()) -> Iterator[str]:
    """What is not ready yet, a line each. addons: name → kinds. ready: further workloads, as Kind/namespace/name."""
    judged = {kind for kinds in addons.values() for kind in kinds} & {*_WORKLOADS, *_CONDITIONS}
    found = records.objects(kubectl, list(addons), sorted(judged))
    for name in ready:
        kind, namespace, called = name.split("/")
        there = kubectl.items(f"{kind}.apps", called, f"--namespace={namespace}")
        found += there
        yield from () if there else [f"{kind} {namespace}/{called} is not there yet"]
    yield from readiness.missing_workloads(found)
    for item in found:
        wanted = _CONDITIONS.get(key(item)[0])
        if wanted:
            conditions = {entry["type"]: entry for entry in item.get("status", {}).get("conditions") or []}
            if conditions.get(wanted, {}).get("status") != "True":
                why = conditions.get(wanted, {}).get("message", "")
                yield f"{item['kind']} {item['metadata']['name']} is not {wanted}{': ' if why else ''}{why}"


def _install(kubectl: Kubectl, addon: Wanted, before: Record, *, dry_run: bool) -> list[str]:
    """The record comes first, so that whatever is there when this ends early can be found."""
    if not addon.objects:  # else all that it has would be taken for things of an earlier version
        if dry_run:
            return [f"the add-on {addon.name}, whose manifest is yet to be fetched"]
        raise OhmykubeError("addon.empty", "its manifest has no objects", hint="is it in the cache of this controller?")
    kinds = tuple(sorted({*before.kinds, *addon.kinds}))
    record = Record(addon.name, addon.version, kinds, tuple(addon.requires))
    text = f"---\n{json.dumps(record.manifest)}\n---\n{addon.manifest}"  # kubectl takes what begins with { for JSON
    changes = applying.apply(kubectl, text, timeout=_APPLY_TIMEOUT, dry_run=dry_run, validate=addon.validate)
    changes += random_secrets.make(kubectl, addon.name, addon.secrets, timeout=_APPLY_TIMEOUT, dry_run=dry_run)
    return [*changes, *_prune(kubectl, addon, before, dry_run=dry_run)]


def _prune(kubectl: Kubectl, addon: Wanted, before: Record, *, dry_run: bool) -> list[str]:
    """Take away what an earlier version had and this one has not."""
    kept = addon.belonging
    called = {(kind, name) for kind, _, name in kept}
    there = records.objects(kubectl, [addon.name], [kind for kind in before.kinds if kind not in _KEPT])
    old = [item for item in there if key(item) not in kept and not item["metadata"].get("ownerReferences")]
    # A chart does not tell of a kind that others define whether it is in a namespace: the API server does.
    old = [item for item in old if item["metadata"].get("namespace") or key(item)[::2] not in called]
    if old and not dry_run:
        delete(kubectl, old)
    return [applying.named(item) for item in old]


def delete(kubectl: Kubectl, items: Sequence[Mapping[str, Any]]) -> None:
    """Ask for it; they may stay for a while."""
    named = [
        {
            "apiVersion": item["apiVersion"],
            "kind": item["kind"],
            "metadata": {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]},
        }
        for item in items
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": named})
    words = ("--ignore-not-found", "--wait=false")
    with_file(text, lambda path: kubectl.text("delete", f"--filename={path}", *words, timeout=120))


def _wait(kubectl: Kubectl, wave: Sequence[Wanted]) -> None:
    until(
        lambda: missing(kubectl, {addon.name: addon.kinds for addon in wave}, [n for a in wave for n in a.ready]),
        timeout=max(addon.timeout for addon in wave),
        what=f"not ready: add-on {', '.join(addon.name for addon in wave)}",
        explain=lambda: readiness.explain(kubectl),
    )
