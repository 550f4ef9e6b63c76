# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`node_files` runs from code that the node keeps, with its sources read here."""

from __future__ import annotations

from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import read
from ansible_collections.ohmykube.cluster.plugins.plugin_utils import on_node


class ActionModule(on_node.ActionModule):
    def completed(self, options: dict[str, Any]) -> dict[str, Any]:
        files = [
            {**file, "source": file["source"] and read(self.found(file["source"])).as_data()}
            for file in options["files"]
        ]
        return {**options, "files": files}
