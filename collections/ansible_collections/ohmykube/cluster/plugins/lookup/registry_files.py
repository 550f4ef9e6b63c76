# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Lookup plug-in: the files that tell containerd how registries are reached."""

from __future__ import annotations

DOCUMENTATION = r"""
name: registry_files
short_description: Files that tell containerd how registries are reached
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Returns the files below C(/etc/containerd/certs.d) for mirrors, certificates and logins of registries, for
    M(ohmykube.cluster.service). Files with a login in them are for root alone.
options:
  _terms:
    description:
      - One mapping, by the registry's host. C(mirrors), URLs that are asked in this order before the registry itself;
        C(ca), a file on the controller with the certificates in PEM form that vouch for it; C(insecure), whether its
        certificate is not looked at; C(credentials), a file on the controller as C(docker login) writes it. What is
        said of a host holds where it is a mirror too.
    required: true
    type: list
    elements: dict
seealso:
  - module: ohmykube.cluster.service
"""

EXAMPLES = r"""
- name: Show what containerd would be told
  ansible.builtin.debug:
    msg: "{{ query('ohmykube.cluster.registry_files', {'docker.io': {'mirrors': ['https://mirror.example.org']}}) }}"
"""

RETURN = r"""
_raw:
  description: Entries of O(ohmykube.cluster.service#module:files).
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, in_words
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain
from ansible_collections.ohmykube.cluster.plugins.module_utils.registries import files


class LookupModule(LookupBase):  # type: ignore[misc]
    """Thin: module_utils/registries.py does it."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [file for registries in plain(terms) for file in files(registries)]
        except OhmykubeError as error:
            raise AnsibleLookupError(in_words(error)) from error
