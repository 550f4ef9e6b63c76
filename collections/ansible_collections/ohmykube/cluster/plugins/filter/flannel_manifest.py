# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: flannel's manifest for this cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: flannel_manifest
short_description: Fit flannel's manifest to a cluster
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description: Sets the pod network, the backend, and the interface, which is that with the kubelet's address.
options:
  _input:
    description: Upstream's manifest.
    type: str
    required: true
  pod_cidr:
    description: The pod network; for both families one of IPv4, a comma, and one of IPv6.
    type: str
    required: true
  backend:
    description: Name of flannel's backend.
    type: str
    required: true
  api_server:
    description: Where flannel reaches the API server, host:port. Empty, at its service's address.
    type: str
    default: ""
  policy_image:
    description: Image of kube-network-policies, to enforce NetworkPolicies. Empty, nobody enforces them.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ text | ohmykube.cluster.flannel_manifest(pod_cidr='10.244.0.0/16', backend='vxlan') }}"
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
        return {"flannel_manifest": manifests.without_tags(manifests.flannel)}
