# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""How a module runs and ends: with what changed, or with an error that says what to do next."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, each
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

# options, the machine, check_mode=…
Run = Callable[..., dict[str, Any]]


def run_module(arguments: Mapping[str, Any], run: Run) -> None:
    """What `main` of a module does where Ansible sends the module itself (see plugin_utils/on_node.py)."""
    from ansible.module_utils.basic import AnsibleModule  # late: the usual way does without, and it is slow to import

    module = AnsibleModule(arguments, supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, Host(), check_mode=module.check_mode))
    except OhmykubeError as error:
        module.fail_json(**failed(error))
    except OSError as error:
        module.fail_json(**failed(of_system(error)))


def changed(changes: Sequence[Change], **results: object) -> dict[str, Any]:
    """results: further return values."""
    return {
        "changed": bool(changes),
        "changes": [change.what for change in changes],
        "diff": [change.diff() for change in changes],
        **results,
    }


def failed(error: OhmykubeError) -> dict[str, Any]:
    """The message is for people and says all; `error` is the same for programs."""
    errors = each(error)
    told = {**error.as_dict(), "message": "\n".join(one.message for one in errors)}
    return {"failed": True, "changed": False, "msg": "\n".join(map(_in_words, errors)), "error": told}


def of_system(error: OSError) -> OhmykubeError:
    """What the kernel refuses a module that has not foreseen it."""
    words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OhmykubeError(
            "node.disk-full",
            f"the disk has no room left: {words}",
            hint="on the node: `df -h`; `crictl rmi --prune` frees what no container runs",
        )
    return OhmykubeError("node.system", words, hint="on the node: `dmesg | tail`, `df -h`, `mount`")


def _in_words(error: OhmykubeError) -> str:
    details = [f"{key}: {value}" for key, value in error.context.items() if "\n" in value]
    return "\n".join([error.message, *details, *([f"hint: {error.hint}"] if error.hint else [])])
