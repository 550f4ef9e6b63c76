# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: values of Cilium's chart for this cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cilium_values
short_description: Fit the values of Cilium's chart to a cluster
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Lays values of the user's own over ours, and over both what the cluster needs. What contradicts that is an error.
options:
  _input:
    description: Values of the user's own.
    type: dict
    required: true
  pod_cidr:
    description: The pod network; for both families one of IPv4, a comma, and one of IPv6.
    type: str
    required: true
  api_server:
    description: Where Cilium reaches the API server, host:port. Empty, at its service's address, by kube-proxy.
    type: str
    default: ""
  kube_proxy:
    description: Whether there is a kube-proxy. Without one Cilium does its work.
    type: bool
    default: true
  hubble:
    description: Whether flows can be looked at, with Hubble and its relay.
    type: bool
    default: false
  hubble_ui:
    description: Whether Hubble has a web UI, too.
    type: bool
    default: false
  encryption:
    description: How traffic between nodes is encrypted.
    type: str
    choices: [none, wireguard]
    default: none
  policy:
    description: When a pod is closed to traffic that no policy allows.
    type: str
    choices: [default, always, never]
    default: default
  devices:
    description: Interfaces that Cilium works on, with a comma between. Empty, those that it finds.
    type: str
    default: ""
  digests:
    description: Whether images are named by their digest, too.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ {'debug': {'enabled': true}} | ohmykube.cluster.cilium_values(pod_cidr='10.244.0.0/16', hubble=true) }}"
"""

RETURN = r"""
_value:
  description: The values.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.ohmykube.cluster.plugins.module_utils import cilium
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, in_words
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain


def cilium_values(own: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    try:
        return cilium.values(plain(own), cilium.Options(**{key: plain(value) for key, value in options.items()}))
    except OhmykubeError as error:
        raise AnsibleFilterError(in_words(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"cilium_values": cilium_values}
