# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Add-ons together: those that a wish names, those that they require, what installs them. Runs on the controller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import rendering
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import (
    Addon,
    builtin,
    of_files,
    read_folder,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import closure
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue

Wish = str | Mapping[str, Any]


class Kept(Protocol):
    @property
    def path(self) -> Path: ...


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


def artifact(addon: Addon, catalogue: Catalogue, arch: str = "any") -> Artifact:
    """What is fetched for it: its manifest, if the catalogue has that, and its images."""
    images = rendering.images(addon)
    if not addon.component:
        return Artifact(f"addon {addon.name}", addon.version, "any", url="", images=tuple(images))
    found = catalogue.artifact(addon.component, arch, addon.version)
    return replace(found, images=tuple(dict.fromkeys([*found.images, *images])))


def described(
    wishes: Iterable[Wish], catalogue: Catalogue, find: Callable[[Artifact], Kept | None]
) -> list[dict[str, Any]]:
    """Of each, `install`, which the module kube_addons takes, and what it needs of the cache: `fetch` and `images`.

    find: what the cache has of a manifest. What it does not have is to be fetched before this is asked again.
    """
    found, rendered = [], {}
    for addon in members(wishes):
        source = artifact(addon, catalogue)
        kept = find(source) if addon.component else None
        texts = [kept.path.read_text(encoding="utf-8")] if kept else list(addon.manifests.values())
        rendered[addon.name] = rendering.render(addon, texts) if texts else []
        install = {
            "name": addon.name,
            "version": source.version,
            "manifest": rendering.text(rendered[addon.name]),
            "objects": [_reference(item) for item in rendered[addon.name]],
            "requires": list(addon.requires),
            "priority": addon.priority,
            "ready": list(addon.ready),
            "timeout": addon.timeout,
            "validate": addon.own,
        }
        fetch = [{"component": addon.component, "version": source.version}] if addon.component else []
        found.append({"name": addon.name, "install": install, "fetch": fetch, "images": list(source.images)})
    rendering.collisions(rendered)
    return found


def _reference(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace") if item["metadata"].get(key)}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}
