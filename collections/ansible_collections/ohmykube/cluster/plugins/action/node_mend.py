# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`node_mend` runs from code that the node keeps."""

from __future__ import annotations

from ansible_collections.ohmykube.cluster.plugins.modules import node_mend
from ansible_collections.ohmykube.cluster.plugins.plugin_utils import on_node


class ActionModule(on_node.ActionModule):
    module = node_mend
