# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`node_hooks` runs from code that the node keeps, with its files read here."""

from __future__ import annotations

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read_script
from ansible_collections.ohmykube.cluster.plugins.plugin_utils import on_node


class ActionModule(on_node.ActionModule):
    def completed(self, options: dict[str, Any]) -> dict[str, Any]:
        hooks = [
            {**hook, "script": read_script(self.found(hook["file"])) if hook["file"] else hook["script"]}
            for hook in options["hooks"]
        ]
        return {**options, "hooks": hooks}
