# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: all that kubeadm is given on one node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_documents
short_description: Make kubeadm's documents for one node, with a user's own merged in
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Ours, those of the machine's provider, the user's and what a node must have are merged, in this order.
  - Mappings merge. C(extraArgs), C(extraVolumes) and C(extraEnvs) merge by name, C(certSANs) by value; other lists are
    replaced.
  - Documents of C(kubeadm.k8s.io/v1beta3) are read as those of C(v1beta4).
  - An unknown kind or group, a kind twice, a field that kubeadm does not have, and a value that clashes with what the
    node must have are errors, all of them at once.
positional: node
options:
  _input:
    description: The user's own documents.
    type: list
    elements: dict
    required: true
  node:
    description:
      - The node; C(name), C(address), C(control_plane), C(tainted), C(cluster_name), C(version), C(endpoint),
        C(pod_cidr), C(service_cidr), C(proxy_mode), C(swap), C(sans), C(provider_config).
    type: dict
    required: true
  joining:
    description:
      - What it joins with; C(token), C(ca_cert_hash), C(certificate_key). Without it, the documents are those for
        C(kubeadm init).
    type: dict
"""

EXAMPLES = r"""
- name: Show the documents
  ansible.builtin.debug:
    msg: "{{ mine | ohmykube.cluster.kubeadm_documents(node) }}"
"""

RETURN = r"""
_value:
  description: The documents as YAML.
  type: str
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, in_words
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import documents, layers, user
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.enforced import Joining, Node
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain


def render(mine: Iterable[Any], node: Mapping[str, Any], joining: Mapping[str, Any] | None = None) -> str:
    described, given = Node(**plain(node)), user.of_list(plain(mine), "kubeadm_config")
    try:
        if joining is None:
            return documents.text(layers.init(described, given))
        return documents.text(layers.join(described, given, Joining(**plain(joining))))
    except OhmykubeError as error:
        raise AnsibleFilterError(in_words(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"kubeadm_documents": render}
