#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: distribute
short_description: Push packages and images from the controller's cache to a node
version_added: 0.1.0
description:
  - Brings a node the packages and container images that it lacks, all of them in one stream over the connection.
  - Each is verified on the node against the sum in the cache before anything of it is installed. The files of a package
    are renamed into place one by one, and files of its older version that the new one does not have are removed.
  - What is on the node is observed at each run. A package is there while each of its files is as it was written, an
    image while containerd has it from the same archive.
  - What is not in the cache yet is downloaded first, verified, and kept there.
options:
  packages:
    description: Components of the catalogue that the node shall have.
    type: list
    elements: dict
    default: []
    suboptions:
      component:
        description: Name in the catalogue.
        type: str
        required: true
      version:
        description: Version; empty for the catalogue's default.
        type: str
        default: ""
  images:
    description: References of the container images that the node's containerd shall have, from the image cache.
    type: list
    elements: str
    default: []
  required:
    description:
      - Whether an image that is not in the cache is an error. One error names all of them.
      - If V(false), they are left for the node to pull.
    type: bool
    default: true
  state:
    description:
      - V(present) pushes what is missing.
      - V(absent) removes all packages that were ever pushed, and the directories that were made for them. Images stay
        with containerd.
    type: str
    choices: [present, absent]
    default: present
  home:
    description: Folder of the caches on the controller. Without it E(OHMYKUBE_HOME), else C(~/.ohmykube).
    type: path
  catalogues:
    description: Catalogue files that are laid over the collection's own, later ones above.
    type: list
    elements: path
    default: []
  offline:
    description: Whether to download nothing. What is not in the cache is an error then.
    type: bool
    default: false
  allow_unverified:
    description:
      - Whether to take a package for which neither the catalogue nor its publisher has a sum, also one from the cache.
    type: bool
    default: false
  arch:
    description: Architecture of the packages and images, in the catalogue's words. Without it, that of the node.
    type: str
    choices: [amd64, arm64]
  check_arch:
    description: Whether an O(arch) that is not the node's is an error. Else the node gets what it cannot run by itself.
    type: bool
    default: false
  root:
    description: Directory on the node below which the files of packages are placed.
    type: path
    default: /
  timeout:
    description: Seconds after which an unfinished stream is given up. What had arrived whole by then is kept.
    type: int
    default: 1800
requirements:
  - zstandard (Python library, on the controller)
  - python3, tar and zstd on the node; containerd for images
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
notes:
  - Over C(ssh) the payloads are streamed. Other connections, and a C(become) that needs a password, get them as
    temporary files on the node.
  - Files of packages belong to root, so the task needs C(become) where the connection's user is not root.
author:
  - ohmykube contributors (@ohmykube)
"""

EXAMPLES = r"""
- name: Bring containerd and runc
  ohmykube.cluster.distribute:
    packages:
      - component: containerd
      - component: runc
        version: v1.3.3

- name: Preload images, and let the node pull those that are not cached
  ohmykube.cluster.distribute:
    images:
      - registry.k8s.io/pause:3.10.1
      - docker.io/library/busybox:latest
    required: false

- name: Give the host back as it was
  ohmykube.cluster.distribute:
    state: absent
"""

RETURN = r"""
payloads:
  description: Every package and image archive that was asked for, or that was removed.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "runc", "version": "v1.3.3", "changed": true, "bytes": 3471921}]
  contains:
    name:
      description: Component, or references of images.
      type: str
    version:
      description: Version of the package; empty for images.
      type: str
    changed:
      description: Whether it was, or in check mode would be, pushed or removed.
      type: bool
    bytes:
      description: Bytes that were pushed; V(0) when it was there already, or is not in the cache yet in check mode.
      type: int
missing_images:
  description: References that are not in the cache and are left for the node to pull.
  returned: success
  type: list
  elements: str
seconds:
  description: How long it took.
  returned: success
  type: float
error:
  description: The failure, for programs; RV(ignore:msg) says the same to people.
  returned: failure
  type: dict
  contains:
    code:
      description: Stable name of the failure.
      type: str
      sample: payload.corrupt
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
