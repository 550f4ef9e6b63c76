# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Add-ons together: those that a wish names, those that they require, what installs them. Runs on the controller."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import rendering
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import (
    Addon,
    builtin,
    of_files,
    read_folder,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import closure
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.random_secrets import references
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

Wish = str | Mapping[str, Any]


def members(wishes: Iterable[Wish]) -> list[Addon]:
    """The add-ons and all that they require, each behind what it requires. Raises OhmykubeError `addon.*`.

    A wish is the name of one that is built in, or {name, files} or {name, path}; a folder's texts are read if there are
    no files. One of that name hides what is built in.
    """
    known, wanted = builtin(), []
    for wish in wishes:
        said: Mapping[str, Any] = {"name": wish} if isinstance(wish, str) else wish
        name, path, files = said.get("name", ""), said.get("path") or "", said.get("files") or {}
        if files or path:
            where = Path(path).expanduser()
            known[name] = of_files(name, files or read_folder(where), str(path or name))
        wanted.append(name)
    return [known[name] for name in closure(wanted, known)]


def artifact(addon: Addon, charts: Charts, arch: str = "any") -> Artifact:
    """What is fetched for it: its manifest or chart, if the catalogue has that, and its images, where they are known.

    Those of a chart are what the catalogue says, until it can be rendered.
    """
    known = rendering.images(addon)
    rendered = workload_images(kube_yaml.text(_objects(addon, charts))) if addon.chart else []
    if not addon.fetched:
        images = tuple(dict.fromkeys([*known, *rendered]))
        return Artifact(f"addon {addon.name}", addon.version, "any", url="", images=images)
    found = charts.catalogue.artifact(addon.fetched, arch, addon.version)
    return replace(found, images=tuple(dict.fromkeys([*(rendered or found.images), *known])))


def described(wishes: Iterable[Wish], charts: Charts, only: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Of each, `install`, which the module kube_addons takes, and what it needs of the cache: `fetch` and `images`.

    charts: the cache, and what renders charts. What it does not have is to be fetched before this is asked again.
    only: names of those that are meant, with all that they require; without any all are.
    """
    found, belonging = [], {}
    known = {addon.name: addon for addon in members(wishes)}
    for addon in [known[name] for name in closure(only or known, known)]:
        source = artifact(addon, charts)
        items = _objects(addon, charts)
        belonging[addon.name] = [*items, *references(addon.secrets)]
        install = {
            "name": addon.name,
            "version": source.version,
            "manifest": kube_yaml.manifest(items),
            "objects": [_reference(item) for item in items],
            "requires": list(addon.requires),
            "priority": addon.priority,
            "secrets": list(addon.secrets),
            "ready": list(addon.ready),
            "timeout": addon.timeout,
            "validate": addon.own and not addon.chart,
        }
        fetch = [{"component": addon.fetched, "version": source.version}] if addon.fetched else []
        fetch += [charts.needed] if addon.chart else []
        found.append({"name": addon.name, "install": install, "fetch": fetch, "images": list(source.images)})
    rendering.collisions(belonging)
    return found


def _objects(addon: Addon, charts: Charts) -> list[dict[str, Any]]:
    """None where something of it is not in the cache."""
    texts = _texts(addon, charts)
    return rendering.render(addon, texts) if texts else []


def _texts(addon: Addon, charts: Charts) -> list[str]:
    """Its manifests, or what helm makes of its chart; none where they are not in the cache."""
    if not addon.fetched and not addon.chart:
        return list(addon.manifests.values())
    kept = charts.find(charts.catalogue.artifact(addon.fetched, "any", addon.version)) if addon.fetched else None
    if addon.component or (addon.fetched and not kept):
        return [kept.path.read_text(encoding="utf-8")] if kept else []
    release = Release(
        addon.name,
        rendering.namespace(addon),
        charts.kubernetes,
        json.dumps(addon.values),
        archive=str(kept.path) if kept else "",
        files=tuple(addon.chart_files.items()),
    )
    text = charts.text(release)
    return [text] if text else []


def _reference(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace") if item["metadata"].get(key)}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}
