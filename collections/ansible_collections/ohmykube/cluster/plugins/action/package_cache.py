# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Packages into the cache of this computer. The task runs here, whatever its host is."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.ohmykube.cluster.plugins.action.distribute import difference
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache_entry import Entry
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.original import offline_error
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import failed

ARGUMENTS: dict[str, Any] = {
    "components": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"component": {"type": "str", "required": True}, "version": {"type": "str", "default": ""}},
    },
    "architectures": {"type": "list", "elements": "str", "choices": ["amd64", "arm64"]},
    "catalogues": {"type": "list", "elements": "path", "default": []},
    "offline": {"type": "bool", "default": False},
    "allow_unverified": {"type": "bool", "default": False},
    "home": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Everything is fetched in one call, several at once."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, self._args = self.validate_argument_spec(ARGUMENTS)
        home = Path(self._args["home"] or os.environ.get("OHMYKUBE_HOME") or "~/.ohmykube").expanduser()
        try:
            return {**result, **self._ensure(Cache(home / "cache" / "packages"))}
        except OhmykubeError as error:
            return {**result, **failed(error)}

    def _ensure(self, cache: Cache) -> dict[str, Any]:
        artifacts = self._artifacts()
        missing = [artifact for artifact in artifacts if cache.find(artifact) is None]
        offline = self._args["offline"]
        if self._task.check_mode:
            raise_all([offline_error(artifact) for artifact in missing if offline and not cache.is_local(artifact)])
            entries = [entry for entry in map(cache.find, artifacts) if entry]
        else:
            entries = cache.ensure_all(artifacts, offline=offline, allow_unverified=self._args["allow_unverified"])
        before = [artifact.name for artifact in artifacts if artifact not in missing]
        images = {(artifact.component, artifact.version): artifact.images for artifact in artifacts}
        return {
            "changed": bool(missing),
            "entries": [report(entry, images[entry.component, entry.version]) for entry in entries],
            "diff": difference(before, [artifact.name for artifact in artifacts]),
        }

    def _artifacts(self) -> list[Artifact]:
        """Each once: what serves every architecture is one artifact. All that is missing is raised together."""
        catalogue = Catalogue.load(self._args["catalogues"])
        artifacts: list[Artifact] = []
        errors: list[OhmykubeError] = []
        for each in self._args["components"]:
            for architecture in self._args["architectures"] or [platform.machine()]:
                try:
                    artifact = catalogue.artifact(each["component"], architecture, each["version"])
                except OhmykubeError as error:
                    errors.append(error)
                else:
                    artifacts += [] if artifact in artifacts else [artifact]
        raise_all(errors)
        return artifacts


def report(entry: Entry, images: tuple[str, ...]) -> dict[str, Any]:
    """In plain types."""
    return {**asdict(entry), "path": str(entry.path), "files": list(entry.files), "images": list(images)}
