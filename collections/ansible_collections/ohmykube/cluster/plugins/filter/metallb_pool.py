# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: MetalLB's pool of addresses."""

from __future__ import annotations

DOCUMENTATION = r"""
name: metallb_pool
short_description: Make MetalLB's pool of addresses and announce it
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - An IPAddressPool called C(ohmykube), an L2Advertisement or, where there are peers, a BGPAdvertisement and a BGPPeer
    for each, and then the webhook that checks pools.
  - Applied in this order, the pool need not wait until the webhook answers.
options:
  _input:
    description: Upstream's manifest, which has the webhook.
    type: str
    required: true
  addresses:
    description: Ranges like V(10.0.0.200-10.0.0.250) or networks, separated by commas.
    type: str
    required: true
  peers:
    description: Routers that are told by BGP, each with C(address), C(asn), C(my_asn) and perhaps C(port).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ text | ohmykube.cluster.metallb_pool(addresses='10.0.0.200-10.0.0.250') }}"
"""

RETURN = r"""
_value:
  description: The manifests.
  type: str
"""

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import manifests


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"metallb_pool": manifests.without_tags(manifests.metallb_pool)}
