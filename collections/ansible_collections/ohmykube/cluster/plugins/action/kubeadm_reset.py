# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`kubeadm_reset` runs from code that the node keeps."""

from __future__ import annotations

from ansible_collections.ohmykube.cluster.plugins.plugin_utils.on_node import ActionModule

__all__ = ["ActionModule"]
