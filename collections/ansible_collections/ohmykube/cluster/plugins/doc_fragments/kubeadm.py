# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations


class ModuleDocFragment:
    """What kubeadm is given, whether a node makes a cluster or joins one."""

    DOCUMENTATION = r"""
options:
  patches:
    description:
      - Patches of what kubeadm makes, by the name of the file, C(target[suffix][+strategic|merge|json].yaml). They lie
        in C(/etc/kubernetes/patches), which the documents must name as C(patches.directory).
    type: dict
    default: {}
  static_pods:
    description:
      - Manifests of static pods beside kubeadm's own, by the name of the file, for a control plane. One that is an
        empty text is to be absent.
    type: dict
    default: {}
  ignore_preflight:
    description: Preflight checks whose errors are ignored.
    type: list
    elements: str
    default: []
"""
