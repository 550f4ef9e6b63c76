#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: package_cache
short_description: Download, verify and prepare packages in the controller's cache
version_added: 0.1.0
description:
  - Makes sure that components of the catalogue are in the cache of the controller, ready to be pushed by
    M(ohmykube.cluster.distribute). What is missing is downloaded, several at once, and resumed where it broke off.
  - An original is verified against its pinned sum, or against the one that upstream publishes, before anything of it
    gets into the cache. There it lies as a reproducible C(.tar.zst) with its members at their places below C(/).
  - What does not go to nodes, such as manifests and machine images, is kept as it is.
  - All failures of a call are reported together.
options:
  components:
    description: Components of the catalogue that the cache shall have.
    type: list
    elements: dict
    required: true
    suboptions:
      component:
        description: Name in the catalogue.
        type: str
        required: true
      version:
        description: Version; empty for the catalogue's default.
        type: str
        default: ""
  architectures:
    description: Architectures of the nodes. Without it, that of the controller.
    type: list
    elements: str
    choices: [amd64, arm64]
  catalogues:
    description: Catalogue files that are laid over the collection's own, later ones above.
    type: list
    elements: path
    default: []
  offline:
    description: Whether to download nothing. What is neither in the cache nor a local file is an error then.
    type: bool
    default: false
  allow_unverified:
    description: Whether to accept what has no pinned and no published sum.
    type: bool
    default: false
  home:
    description: Folder of the caches on the controller. Without it E(OHMYKUBE_HOME), else C(~/.ohmykube).
    type: path
requirements:
  - zstandard (Python library, on the controller)
extends_documentation_fragment:
  - ohmykube.cluster.attributes
  - ohmykube.cluster.attributes.on_controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  action:
    support: full
  async:
    support: none
seealso:
  - module: ohmykube.cluster.image_cache
  - module: ohmykube.cluster.distribute
  - plugin: ohmykube.cluster.catalogue
    plugin_type: lookup
author:
  - ohmykube contributors (@ohmykube)
"""

EXAMPLES = r"""
- name: Have the binaries of a node at hand
  ohmykube.cluster.package_cache:
    components:
      - component: containerd
      - component: kubelet
        version: v1.36.4
    architectures: [amd64, arm64]
  run_once: true

- name: Take them from a mirror of one's own, and from nowhere else
  ohmykube.cluster.package_cache:
    components:
      - component: flannel
    catalogues: [mirror.yml]
    offline: true
  run_once: true
"""

RETURN = r"""
entries:
  description: The cached packages, in the order asked for. In check mode, those that are there already.
  returned: success
  type: list
  elements: dict
  contains:
    component:
      description: Name in the catalogue.
      type: str
    version:
      description: Version, with its leading v.
      type: str
    arch:
      description: Architecture; V(any) for what serves all.
      type: str
    path:
      description: The file on the controller.
      type: str
    sha256:
      description: Sum of that file.
      type: str
    size:
      description: Bytes of that file.
      type: int
    source_sha256:
      description: Sum of the original.
      type: str
    source_sha512:
      description: Its other sum, where that is what it was verified by.
      type: str
    source_url:
      description: Where the original came from.
      type: str
    created:
      description: When it got into the cache; ISO time, UTC.
      type: str
    files:
      description: Places below C(/) on a node.
      type: list
      elements: str
    verified:
      description: Whether the original was compared with a pinned or published sum.
      type: bool
    recipe:
      description: How the original became the file.
      type: str
    images:
      description: References of the container images that its workloads run.
      type: list
      elements: str
error:
  description: The failure, for programs; RV(ignore:msg) says the same to people.
  returned: failure
  type: dict
  contains:
    code:
      description: Stable name of the failure.
      type: str
      sample: cache.offline
    message:
      description: What failed, and where.
      type: str
    hint:
      description: What to do about it.
      type: str
    context:
      description: Details by name.
      type: dict
"""
