# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Lookup plug-in: what the catalogue says of a component, and where its file lies on this computer."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue
short_description: Entries of the catalogue of downloads
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Returns a component's version, URL, sum and images as M(ohmykube.cluster.package_cache) uses them, and the path of
    its file where it is in the cache.
  - Downloads nothing.
options:
  _terms:
    description: Names of components.
    required: true
    type: list
    elements: str
  version:
    description: Version; empty for the catalogue's default.
    type: str
    default: ""
  arch:
    description:
      - Architecture, in the catalogue's words or in those of R(ansible_facts,ansible_facts).
      - Does not matter for what serves all of them, such as manifests.
    type: str
    default: amd64
  catalogues:
    description: Catalogue files that are laid over the collection's own, later ones above.
    type: pathspec
    default: []
    env:
      - name: OHMYKUBE_CATALOGUE
  home:
    description: Folder of the caches.
    type: path
    default: ~/.ohmykube
    env:
      - name: OHMYKUBE_HOME
seealso:
  - module: ohmykube.cluster.package_cache
"""

EXAMPLES = r"""
- name: Say which version is the default
  ansible.builtin.debug:
    msg: "{{ lookup('ohmykube.cluster.catalogue', 'kubeadm').version }}"

- name: Apply a manifest from the cache
  ansible.builtin.debug:
    msg: "{{ lookup('ohmykube.cluster.catalogue', 'flannel', version='v0.28.9').path }}"
"""

RETURN = r"""
_raw:
  description: >-
    One entry a component, with the keys component, version, arch, url, sha256, sha512, checksum_url, format, members,
    mode, images, and path, which is empty where the cache does not have it.
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError


class LookupModule(LookupBase):  # type: ignore[misc]
    """Asks catalogue and cache anew for each call: a play may name several."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        cache = Cache(Path(self.get_option("home")) / "cache" / "packages")
        try:
            catalogue = Catalogue.load(self.get_option("catalogues"))
            artifacts = [
                catalogue.artifact(term, self.get_option("arch"), self.get_option("version")) for term in terms
            ]
            found = [cache.find(artifact) for artifact in artifacts]
        except OhmykubeError as error:
            raise AnsibleLookupError(f"{error.message} {error.hint}") from error
        return [
            {**artifact.as_dict(), "path": str(entry.path) if entry else ""}
            for artifact, entry in zip(artifacts, found, strict=True)
        ]
