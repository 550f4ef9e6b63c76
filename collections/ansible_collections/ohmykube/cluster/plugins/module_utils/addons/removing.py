# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Take add-ons out of a cluster: what carries their label, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.ohmykube.cluster.plugins.module_utils import readiness
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import records
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.installing import delete
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import LABEL, key, kind
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import waves
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.records import Item, Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, until

_CRD = "CustomResourceDefinition.apiextensions.k8s.io"
_CLAIM = "PersistentVolumeClaim"
# What the API server asks an add-on for goes before the add-on, and what holds others goes after them.
_FIRST = (
    "APIService.apiregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
)
_LAST = (_CRD, "Namespace")
_GONE_TIMEOUT = 180  # seconds


def remove(kubectl: Kubectl, names: Iterable[str], *, force: bool, dry_run: bool) -> list[str]:
    """Those that were there. Raises OhmykubeError `addon.in-use` where somebody's data would be lost, unless forced."""
    if dry_run and not kubectl.configured():
        return []
    known = records.read(kubectl)
    leaving = [known[name] for name in dict.fromkeys(names) if name in known]
    found = {record.name: _objects(kubectl, record, record.kinds) for record in leaving}
    if not force:
        for record in leaving:
            _refuse_loss(kubectl, record, found[record.name], leaving=list(found))
    if not dry_run:
        for wave in reversed(waves(leaving)):
            for record in wave:
                _remove(kubectl, record, found[record.name])
    return [record.name for record in leaving]


def _remove(kubectl: Kubectl, record: Record, items: Sequence[Item]) -> None:
    """The record goes last, so that one that was interrupted can be finished."""
    groups = _groups(items)
    custom = [item for item in items if kind(item).partition(".")[2] in groups]
    if custom:  # whoever is to clean up behind them must still be there
        delete(kubectl, custom)
        _gone(kubectl, record, sorted({kind(item) for item in custom}))
    rest = [item for item in items if item not in custom]
    for part in (
        [item for item in rest if kind(item) in _FIRST],
        [item for item in rest if kind(item) not in (*_FIRST, *_LAST)],
        *([item for item in rest if kind(item) == last] for last in _LAST),
    ):
        if part:
            delete(kubectl, part)
    _gone(kubectl, record, record.kinds)
    delete(kubectl, [record.manifest])


def _gone(kubectl: Kubectl, record: Record, kinds: Iterable[str]) -> None:
    def left() -> list[str]:
        return [f"{item['kind']} {item['metadata']['name']}" for item in _objects(kubectl, record, kinds)]

    until(
        left,
        timeout=_GONE_TIMEOUT,
        what=f"the add-on {record.name} is not gone",
        explain=lambda: readiness.explain(kubectl),
    )


def _refuse_loss(kubectl: Kubectl, record: Record, items: Sequence[Item], *, leaving: Sequence[str]) -> None:
    """Volumes, and objects of its kinds that somebody else has made who stays. leaving: all add-ons that go."""
    spaces = {item["metadata"]["name"] for item in items if kind(item) == "Namespace"}
    kinds = [f"{item['spec']['names']['kind']}.{item['spec']['group']}" for item in items if kind(item) == _CRD]
    asked = [*kinds, *([_CLAIM] if spaces or _CLAIM in record.kinds else [])]
    there = records.objects(kubectl, [], asked, labelled=False)
    lost = [item for item in there if _is_loss(item, leaving, spaces)]
    if lost:
        named = ["/".join(part for part in (item["kind"], *key(item)[1:]) if part) for item in lost]
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        raise OhmykubeError(
            "addon.in-use",
            f"with the add-on {record.name} would go: {', '.join(named[:5])}{more}",
            hint=f"delete them, or lose them by `ohmykube addon disable {record.name} --force` (addon_force)",
            context={"objects": "\n".join(named)},
        )


def _groups(items: Sequence[Item]) -> set[str]:
    return {item["spec"]["group"] for item in items if kind(item) == _CRD}


def _objects(kubectl: Kubectl, record: Record, kinds: Iterable[str]) -> list[Item]:
    """What we have applied. What a controller made for another object carries the label by chance, and goes with it."""
    return [item for item in records.objects(kubectl, [record.name], kinds) if not _owned(item)]


def _is_loss(item: Item, leaving: Sequence[str], spaces: set[str]) -> bool:
    """spaces: namespaces that would go."""
    ours = (item["metadata"].get("labels") or {}).get(LABEL) in leaving
    if kind(item) == _CLAIM:
        return ours or item["metadata"]["namespace"] in spaces
    return not (ours or _owned(item))


def _owned(item: Item) -> bool:
    return bool(item["metadata"].get("ownerReferences"))
