# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Charts, rendered from what the cache of this computer has. Downloads nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm, objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images


class Kept(Protocol):
    @property
    def path(self) -> Path: ...


@dataclass(frozen=True)
class Charts:
    """find: what the cache has of an artifact. tools: the folder of this computer's helm. kubernetes: the cluster's."""

    catalogue: Catalogue
    find: Callable[[Artifact], Kept | None]
    tools: Path
    kubernetes: str

    @classmethod
    def of_home(cls, home: Path, catalogue: Catalogue, kubernetes: str) -> Charts:
        """kubernetes: empty for the catalogue's default."""
        found = kubernetes or catalogue.default("kubeadm")
        return cls(catalogue, Cache(home / "cache" / "packages").find, home / "tools", found)

    @property
    def helm(self) -> Artifact:
        return self.catalogue.artifact(helm.component(), helm.architecture())

    @property
    def needed(self) -> dict[str, str]:
        """As the module package_cache takes it."""
        return {"component": self.helm.component, "version": self.helm.version}

    def text(self, release: Release) -> str:
        """The chart as helm renders it; empty where helm is not in the cache. Raises OhmykubeError `chart.*`."""
        package = self.find(self.helm)
        return helm.render(helm.unpacked(package.path, self.tools), release) if package else ""

    def manifest(self, artifact: Artifact, name: str, namespace: str, values: Mapping[str, Any]) -> str:
        """The objects of a chart of the catalogue, as YAML; empty where it or helm is not in the cache.

        name: of the release. Raises as `text`.
        """
        kept = self.find(artifact)
        if not kept:
            return ""
        text = self.text(Release(name, namespace, self.kubernetes, json.dumps(values), archive=str(kept.path)))
        made = objects.objects(text, name, namespace) if text else []
        return kube_yaml.manifest(made) if made else ""

    def images(self, artifact: Artifact, name: str, namespace: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Those that its workloads run; before it can be rendered, what the catalogue says. Raises as `text`."""
        text = self.manifest(artifact, name, namespace, values)
        return tuple(workload_images(text, name)) if text else artifact.images
