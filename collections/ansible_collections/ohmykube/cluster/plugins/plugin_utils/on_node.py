# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The action of every module that runs on a node: options are checked here, the module runs from kept code there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import filter_loader
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import failed

MODULES = "ansible_collections.ohmykube.cluster.plugins.modules"


class ActionModule(ActionBase):  # type: ignore[misc]
    """One exchange with the node. Nothing of it is in a command line, in a file there, or in a log."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        module = importlib.import_module(f"{MODULES}.{self._task.action.rpartition('.')[2]}")
        _, options = self.validate_argument_spec(module.ARGUMENTS)
        told = {"module": module.__name__, "check_mode": self._task.check_mode}
        try:
            request = code.request("remote.module", {**told, "options": self.completed(options)})
            return {**result, **execute(self, task_vars, request)}
        except OhmykubeError as error:
            return {**result, **failed(error)}

    def completed(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as the node gets them: actions whose modules speak of files on the controller read these here."""
        return options

    def found(self, name: str) -> Path:
        """A file or folder on the controller, where Ansible looks for those of a role or playbook."""
        path = Path(name).expanduser()
        return path if path.is_absolute() else Path(self._find_needle("files", name))


def execute(action: ActionBase, task_vars: Mapping[str, Any] | None, request: bytes) -> dict[str, Any]:
    """Send a request over whatever connection there is; what the program answered. Raises its OhmykubeError."""
    command = f"{action._compute_environment_string()} {code.command(python(task_vars))}".lstrip()
    said = action._low_level_execute_command(command, in_data=request)
    return code.answer(said["rc"], said["stdout"], said["stderr"])


def python(task_vars: Mapping[str, Any] | None) -> str:
    """The node's interpreter: the one that its owner names, or simply python3, since asking costs a task."""
    named = str((task_vars or {}).get("ansible_python_interpreter") or "auto")
    return "python3" if named.startswith("auto") else named


# Now: Ansible imports the action before it forks, so this is done once a run and not once a task. The first filter that
# is used of a collection has Ansible read all of them.
code.code()
filter_loader.get("ohmykube.cluster.kubeadm_documents")
