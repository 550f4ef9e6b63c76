# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Lookup plug-in: a chart of the catalogue as the objects that it is rendered to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: chart
short_description: Render a Helm chart of the catalogue
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Returns the objects of a chart, rendered on the controller by the catalogue's helm, which is given no network and
    nothing of the person's own. Values go to it on its stdin.
  - Downloads nothing. Where the chart or helm is not in the cache, there is no manifest.
  - Hooks for tests, for deletion and for a way back are left out. A chart with others is an error, and so is one that
    is rendered otherwise each time.
options:
  _terms:
    description: Names of components that are charts.
    required: true
    type: list
    elements: str
  name:
    description: Name of the release; empty for that of the component.
    type: str
    default: ""
  namespace:
    description: Namespace of objects that name none.
    type: str
    required: true
  values:
    description: Values of the chart.
    type: dict
    default: {}
  version:
    description: Version of the chart, of the catalogue; empty for the catalogue's default.
    type: str
    default: ""
  kubernetes:
    description: Version of Kubernetes that it is rendered for; empty for the catalogue's default.
    type: str
    default: ""
  catalogues:
    description: Catalogue files that are laid over the collection's own, later ones above.
    type: pathspec
    default: []
    env:
      - name: OHMYKUBE_CATALOGUE
  home:
    description: Folder of the caches, and of helm.
    type: path
    default: ~/.ohmykube
    env:
      - name: OHMYKUBE_HOME
seealso:
  - module: ohmykube.cluster.package_cache
  - module: ohmykube.cluster.kube_apply
"""

EXAMPLES = r"""
- name: Say which images Cilium runs
  ansible.builtin.debug:
    msg: "{{ lookup('ohmykube.cluster.chart', 'cilium', namespace='kube-system').images }}"
"""

RETURN = r"""
_raw:
  description: >-
    One entry a component. C(manifest), its objects as YAML, empty where something of it is not in the cache; C(fetch),
    what M(ohmykube.cluster.package_cache) must have got for that, as its components; C(images), those that its
    workloads run, or before it can be rendered what the catalogue says; C(version).
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, in_words
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain


class LookupModule(LookupBase):  # type: ignore[misc]
    """Thin: module_utils/charts does the rest."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            catalogue = Catalogue.load(self.get_option("catalogues"))
            charts = Charts.of_home(Path(self.get_option("home")), catalogue, self.get_option("kubernetes"))
            return [self._rendered(charts, str(term)) for term in terms]
        except OhmykubeError as error:
            raise AnsibleLookupError(in_words(error)) from error

    def _rendered(self, charts: Charts, component: str) -> dict[str, Any]:
        artifact = charts.catalogue.artifact(component, "any", self.get_option("version"))
        name, namespace = str(self.get_option("name") or component), str(self.get_option("namespace"))
        values = plain(self.get_option("values"))
        return {
            "manifest": charts.manifest(artifact, name, namespace, values),
            "fetch": [{"component": component, "version": artifact.version}, charts.needed],
            "images": list(charts.images(artifact, name, namespace, values)),
            "version": artifact.version,
        }
