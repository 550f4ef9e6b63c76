# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Filter: patches of what kubeadm makes, once they are known to be good."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_patches
short_description: Refuse patches that kubeadm would pass over or could not read
version_added: "0.1.0"
author: ohmykube contributors (@ohmykube)
description:
  - kubeadm passes over a file whose name it does not know, and says so in its output alone.
options:
  _input:
    description: Text of each patch by the name of its file, C(target[suffix][+strategic|merge|json].yaml).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ {'etcd+merge.yaml': 'spec: {priority: 1}'} | ohmykube.cluster.kubeadm_patches }}"
"""

RETURN = r"""
_value:
  description: The same.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, in_words, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import patches
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import plain


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = plain(given)
    try:
        raise_all(patches.check(made))
    except OhmykubeError as error:
        raise AnsibleFilterError(in_words(error)) from error
    return made


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"kubeadm_patches": checked}
