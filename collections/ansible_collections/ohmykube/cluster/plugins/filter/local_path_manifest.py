# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: local-path-provisioner's manifest for this cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: local_path_manifest
short_description: Fit the manifest of local-path-provisioner to a cluster
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - Sets the default class, the helper's image, which upstream leaves without a tag, and the folder on the nodes.
options:
  _input:
    description: Upstream's manifest.
    type: str
    required: true
  default_class:
    description: Whether volumes without a class are of this one.
    type: bool
    required: true
  helper_image:
    description: Image of the pods that make and remove folders.
    type: str
    required: true
  path:
    description: Folder of the volumes on each node.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: >-
      {{ text | ohmykube.cluster.local_path_manifest(default_class=true, helper_image='busybox:1.37.0', path='/data') }}
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
        return {"local_path_manifest": manifests.without_tags(manifests.local_path)}
