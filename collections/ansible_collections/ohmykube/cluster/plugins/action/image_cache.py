# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Image archives into the cache of this computer. The task runs here, whatever its host is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.ohmykube.cluster.plugins.action.distribute import difference
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import failed

ARGUMENTS: dict[str, Any] = {
    "archives": {"type": "list", "elements": "path", "required": True},
    "home": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Archives are added one after the other: adding one keeps the cores busy."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        home = Path(arguments["home"] or os.environ.get("OHMYKUBE_HOME") or "~/.ohmykube").expanduser()
        try:
            return {**result, **self._add(ImageCache(home / "cache" / "images"), map(Path, arguments["archives"]))}
        except OhmykubeError as error:
            return {**result, **failed(error)}

    def _add(self, cache: ImageCache, archives: Iterable[Path]) -> dict[str, Any]:
        before = labels(cache.entries())
        images: list[Image] = []
        changed = False
        for archive in archives:
            known = cache.known(archive)
            changed = changed or not known
            images += known or ([] if self._task.check_mode else cache.add(archive))
        after = before if self._task.check_mode else labels(cache.entries())
        return {
            "changed": changed,
            "images": [{**asdict(image), "path": str(image.path)} for image in images],
            "diff": difference(before, after),
        }


def labels(images: Iterable[Image]) -> list[str]:
    """For people: a name may stay while what it names changes."""
    return [f"{image.reference} ({image.arch}) {image.digest}" for image in images]
