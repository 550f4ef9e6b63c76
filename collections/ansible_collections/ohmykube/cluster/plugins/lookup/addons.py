# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Lookup plug-in: add-ons and all that they require, as the module that installs them takes them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: addons
short_description: Read add-ons, built in or of one's own
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Returns the add-ons and all that they require, each behind what it requires, for M(ohmykube.cluster.kube_addons).
  - Downloads nothing. Where an add-on's manifest or chart comes from the catalogue and is not in the cache, it has no
    objects; nor has one with a chart while helm is not in the cache.
options:
  _terms:
    description:
      - Names of add-ons that are built in; or mappings with C(name), and with C(path), a folder on the controller, or
        C(files), the texts of such a folder by the name of the file.
    required: true
    type: list
    elements: raw
  catalogues:
    description: Catalogue files that are laid over the collection's own, later ones above.
    type: pathspec
    default: []
    env:
      - name: OHMYKUBE_CATALOGUE
  only:
    description: Names of those that are meant, with all that they require. Empty, all are.
    type: list
    elements: str
    default: []
  kubernetes:
    description: Version of Kubernetes that charts are rendered for; empty for the catalogue's default.
    type: str
    default: ""
  home:
    description: Folder of the caches.
    type: path
    default: ~/.ohmykube
    env:
      - name: OHMYKUBE_HOME
seealso:
  - module: ohmykube.cluster.kube_addons
"""

EXAMPLES = r"""
- name: Say which images an add-on runs
  ansible.builtin.debug:
    msg: "{{ query('ohmykube.cluster.addons', 'metrics-server') | map(attribute='images') }}"
"""

RETURN = r"""
_raw:
  description: >-
    One entry an add-on. C(name); C(install), an entry of O(ohmykube.cluster.kube_addons#module:addons); C(fetch), what
    M(ohmykube.cluster.package_cache) must have got for that to be whole, as its components; C(images), those that run.
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.sets import described
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, in_words
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain


class LookupModule(LookupBase):  # type: ignore[misc]
    """Thin: finds the cache and the catalogue; module_utils/addons does the rest."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        wishes = [wish for term in plain(terms) for wish in (term if isinstance(term, list) else [term])]
        try:
            catalogue = Catalogue.load(self.get_option("catalogues"))
            home, version = Path(self.get_option("home")), self.get_option("kubernetes")
            return described(wishes, Charts.of_home(home, catalogue, version), self.get_option("only"))
        except OhmykubeError as error:
            raise AnsibleLookupError(in_words(error)) from error
