# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: MetalLB's manifest for this cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: metallb_manifest
short_description: Fit the manifest of MetalLB to a cluster
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description: >-
  Its pods are asked for their readiness at once. The webhook that checks pools is left out: it comes with the first of
  them, by P(ohmykube.cluster.metallb_pool#filter).
options:
  _input:
    description: Upstream's manifest.
    type: str
    required: true
  on_control_planes:
    description: Whether nodes announce addresses though Kubernetes asks load balancers to leave them out.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ text | ohmykube.cluster.metallb_manifest(on_control_planes=false) }}"
"""

RETURN = r"""
_value:
  description: The manifest.
  type: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import manifests


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"metallb_manifest": manifests.without_tags(manifests.metallb)}
