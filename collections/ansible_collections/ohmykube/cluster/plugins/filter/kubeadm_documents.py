# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: kubeadm's documents from layers of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_documents
short_description: Merge layers of kubeadm documents into one YAML text
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Mappings merge. C(extraArgs), C(extraVolumes) and C(extraEnvs) merge by name, C(certSANs) by value; other lists are
    replaced.
  - An unknown kind, a kind twice in a layer, and a value that clashes with an enforced one are errors.
positional: enforced, kinds
options:
  _input:
    description: Layers of documents, the lowest first; the last one is the user's.
    type: list
    elements: list
    required: true
  enforced:
    description: Documents that nothing overrules.
    type: list
    elements: dict
    required: true
  kinds:
    description: Whether the documents are for C(kubeadm init) or for C(kubeadm join).
    type: str
    choices: [init, join]
    required: true
"""

EXAMPLES = r"""
- name: Show the documents
  ansible.builtin.debug:
    msg: "{{ [defaults, mine] | ohmykube.cluster.kubeadm_documents(enforced, 'init') }}"
"""

RETURN = r"""
_value:
  description: The documents as YAML.
  type: str
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.ohmykube.cluster.plugins.module_utils import kubeadm_documents
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import ErrorGroup, OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain

_KINDS = {"init": kubeadm_documents.INIT_KINDS, "join": kubeadm_documents.JOIN_KINDS}


def render(layers: Sequence[Iterable[Any]], enforced: Iterable[Mapping[str, Any]], kinds: str) -> str:
    try:
        made = kubeadm_documents.merge(plain(layers), plain(enforced), _KINDS[kinds])
    except OhmykubeError as error:
        errors = error.errors if isinstance(error, ErrorGroup) else [error]
        raise AnsibleFilterError("\n".join(f"{each.message} ({each.hint})" for each in errors)) from error
    return yaml.safe_dump_all(made, sort_keys=False)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"kubeadm_documents": render}
