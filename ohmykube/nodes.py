"""Ask nodes without Ansible around it, for what a person waits to see: by a module of the collection, or by kubectl."""

import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget

_MODULES = "ansible_collections.ohmykube.cluster.plugins.modules"
_API_TIMEOUT = 10.0  # seconds for one question to the API server


def ask(
    target: SshTarget,
    module: str,
    options: Mapping[str, Any] | None = None,
    *,
    timeout: float,
    check_mode: bool = False,
) -> dict[str, Any]:
    """What the module returns when it has run on the node as root.

    options: those of the module that are not its defaults. timeout: seconds. Raises OhmykubeError `ssh.unreachable`,
    `node.no-answer`, or the module's own.
    """
    from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code

    name = f"{_MODULES}.{module}"
    defaults = {key: option.get("default") for key, option in importlib.import_module(name).ARGUMENTS.items()}
    told = {"module": name, "options": {**defaults, **(options or {})}, "check_mode": check_mode}
    sudo = [] if target.user == "root" else ["sudo", "-n"]
    done = ssh.execute(target, [*sudo, *code.argv()], timeout=timeout, stdin=code.request("remote.module", told))
    return code.answer(done.returncode, done.stdout, done.stderr)


def api_nodes(planes: Sequence[Machine]) -> tuple[dict[str, dict[str, str]], str]:
    """Each node as the API server sees it, asked on the first control plane that answers; and why none did.

    planes: those that run.
    """
    problem = "no control plane runs"
    for target in (plane.ssh for plane in planes if plane.ssh):
        try:
            answer = json.loads(ssh.run(target, _kubectl(target, "get", "nodes", "-o", "json"), timeout=_API_TIMEOUT))
        except (OhmykubeError, ValueError) as error:
            problem = f"the API server does not answer: {error}"
        else:
            return {item["metadata"]["name"]: _node(item) for item in answer["items"]}, ""
    return {}, problem


def _kubectl(target: SshTarget, *words: str) -> list[str]:
    sudo = [] if target.user == "root" else ["sudo", "-n"]
    return [*sudo, "/usr/local/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=5s", *words]


def _node(item: dict[str, Any]) -> dict[str, str]:
    conditions = {entry["type"]: entry["status"] for entry in item["status"].get("conditions", [])}
    state = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if item["spec"].get("unschedulable"):
        state += ",SchedulingDisabled"
    return {"node": state, "version": item["status"]["nodeInfo"]["kubeletVersion"]}
