#!/usr/bin/python
# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_cache
short_description: Add container image archives to the controller's cache
version_added: 0.1.0
description:
  - Makes sure that the images of archives are in the cache of the controller, from where
    M(ohmykube.cluster.distribute) brings them to nodes.
  - Takes OCI layouts and docker-archives, plain or compressed, with any number of images and tags.
  - An archive that is cut short, lacks a layer, or has a member with another sum than it says, is refused.
options:
  archives:
    description: Files on the controller, as C(docker save), C(podman save) or C(ctr images export) write them.
    type: list
    elements: path
    required: true
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
    details: An archive that was added before is recognised by its sum.
  action:
    support: full
  async:
    support: none
seealso:
  - module: ohmykube.cluster.package_cache
  - module: ohmykube.cluster.distribute
author:
  - ohmykube contributors (@ohmykube)
"""

EXAMPLES = r"""
- name: Have the images of the control plane at hand
  ohmykube.cluster.image_cache:
    archives:
      - images/kube-apiserver.tar
      - images/etcd.tar.gz
  run_once: true
"""

RETURN = r"""
images:
  description: The images of these archives. In check mode, those that are there already.
  returned: success
  type: list
  elements: dict
  contains:
    reference:
      description: Full name, such as C(docker.io/library/busybox:latest).
      type: str
    arch:
      description: Architecture.
      type: str
    path:
      description: The archive on the controller; several images may share it.
      type: str
    sha256:
      description: Sum of that file.
      type: str
    size:
      description: Bytes of that file.
      type: int
    digest:
      description: Of the manifest or index in an OCI layout, of the configuration in a docker-archive.
      type: str
    created:
      description: When it got into the cache; ISO time, UTC.
      type: str
error:
  description: The failure, for programs; RV(ignore:msg) says the same to people.
  returned: failure
  type: dict
  contains:
    code:
      description: Stable name of the failure.
      type: str
      sample: image.corrupt
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
