# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: Rook's manifests, fitted to a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rook_manifest
short_description: Fit Rook's manifests to a cluster
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Operators and drivers also run on nodes with the taints that are named, and the namespace admits privileged pods.
  - The CRDs stay as they are.
options:
  _input:
    description: Upstream's C(crds.yaml), C(common.yaml), C(csi-operator.yaml) and C(operator.yaml), in this order.
    type: list
    elements: str
    required: true
  taints:
    description: Keys of taints on nodes where pods may use volumes too.
    type: list
    elements: str
    required: true
  replicas:
    description: Of the pods that make volumes.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ texts | ohmykube.cluster.rook_manifest(taints=[], replicas=1) }}"
"""

RETURN = r"""
_value:
  description: The manifests.
  type: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import manifests
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import upstream


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"rook_manifest": manifests.without_tags(upstream.upstream)}
