# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Runs a module of the collection on a node, without what Ansible would send along with it."""

from __future__ import annotations

import importlib
import json
import sys

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import of_system


def main() -> int:
    request = json.loads(sys.stdin.buffer.read())
    module = importlib.import_module(request["module"])
    answered: dict[str, object]
    try:
        answered = {"ok": module.run(request["options"], Host(), check_mode=request["check_mode"])}
    except OhmykubeError as error:
        answered = {"error": error.as_dict()}
    except OSError as error:
        answered = {"error": of_system(error).as_dict()}
    print(json.dumps(answered), flush=True)
    return int("error" in answered)
