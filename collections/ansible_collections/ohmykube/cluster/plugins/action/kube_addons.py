# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`kube_addons` runs from code that the node keeps."""

from __future__ import annotations

from ansible_collections.ohmykube.cluster.plugins.modules import kube_addons
from ansible_collections.ohmykube.cluster.plugins.plugin_utils import on_node


class ActionModule(on_node.ActionModule):
    module = kube_addons
