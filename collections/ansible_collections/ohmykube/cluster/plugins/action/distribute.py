# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Push packages and images to a node: look there first, then send what is missing in one stream."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.ohmykube.cluster.plugins.module_utils import stream
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import (
    Payload,
    another_architecture,
    image_payloads,
    package_artifacts,
    package_payloads,
    predicted_payloads,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import failed
from ansible_collections.ohmykube.cluster.plugins.plugin_utils.on_node import execute, python

PROBE_TIMEOUT = 120  # seconds; stat of some files and one question to containerd

ARGUMENTS: dict[str, Any] = {
    "packages": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"component": {"type": "str", "required": True}, "version": {"type": "str", "default": ""}},
    },
    "images": {"type": "list", "elements": "str", "default": []},
    "required": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "home": {"type": "path"},
    "catalogues": {"type": "list", "elements": "path", "default": []},
    "offline": {"type": "bool", "default": False},
    "allow_unverified": {"type": "bool", "default": False},
    "arch": {"type": "str", "choices": ["amd64", "arm64"]},
    "check_arch": {"type": "bool", "default": False},
    "root": {"type": "path", "default": "/"},
    "timeout": {"type": "int", "default": 1800},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """The task on the controller; the node's end is module_utils/receiver.py."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, self._args = self.validate_argument_spec(ARGUMENTS)
        self._task_vars = task_vars
        begin = time.monotonic()
        try:
            done = self._absent() if self._args["state"] == "absent" else self._present()
        except OhmykubeError as error:
            return {**result, **failed(error)}
        return {**result, **done, "seconds": round(time.monotonic() - begin, 1)}

    def _present(self) -> dict[str, Any]:
        node = self._ask("probe", timeout=PROBE_TIMEOUT, images=bool(self._args["images"]))
        arch = self._args["arch"] or node["arch"]
        if self._args["check_arch"] and arch != node["arch"]:
            raise another_architecture(self._args["images"], arch, node["arch"])
        wanted, left = self._wanted(arch)
        missing = [payload for payload in wanted if not payload.is_on(node)]
        if missing and not self._task.check_mode:
            self._display.vvv(f"distribute: {', '.join(payload.label for payload in missing)}")
            self._push(missing)
        before = [payload.label_on(node) for payload in wanted]
        return {
            "changed": bool(missing),
            "payloads": [report(payload, changed=payload in missing) for payload in wanted],
            "missing_images": left,
            "diff": difference(before, [payload.label for payload in wanted]),
        }

    def _absent(self) -> dict[str, Any]:
        there = self._ask("probe", timeout=PROBE_TIMEOUT, images=False)["packages"]
        if not self._task.check_mode:
            self._ask("remove", timeout=self._args["timeout"])
        gone = [
            {"name": name, "version": there[name]["version"], "changed": True, "bytes": 0} for name in sorted(there)
        ]
        return {
            "changed": bool(gone),
            "payloads": gone,
            "missing_images": [],
            "diff": difference([f"{each['name']} {each['version']}" for each in gone], []),
        }

    def _wanted(self, arch: str) -> tuple[list[Payload], list[str]]:
        """All that was asked for, from the caches, and the images that are left to the node."""
        home = Path(self._args["home"] or os.environ.get("OHMYKUBE_HOME") or "~/.ohmykube").expanduser()
        cache = Cache(home / "cache" / "packages")
        artifacts = package_artifacts(self._args["packages"], arch, Catalogue.load(self._args["catalogues"]))
        if self._task.check_mode:
            packages = predicted_payloads(artifacts, cache)
        else:
            offline, allow_unverified = self._args["offline"], self._args["allow_unverified"]
            packages = package_payloads(artifacts, cache, offline=offline, allow_unverified=allow_unverified)
        shelf = ImageCache(home / "cache" / "images")
        images, left = image_payloads(self._args["images"], arch, shelf, required=self._args["required"])
        return [*packages, *images], left

    def _ask(self, operation: str, *, timeout: int, **more: Any) -> dict[str, Any]:
        """A request without payloads, over whatever connection there is."""
        request = stream.request(operation, root=self._args["root"], timeout=timeout, **more)
        return execute(self, self._task_vars, request)

    def _push(self, payloads: Sequence[Payload]) -> None:
        timeout = self._args["timeout"]
        if not self._can_stream():
            return self._push_files(payloads)
        manifests = [payload.manifest() for payload in payloads]
        request = stream.request("receive", root=self._args["root"], timeout=timeout, payloads=manifests)
        ended = stream.send(self._ssh(), request, payloads, stall=stream.STALL, timeout=timeout)
        if ended.returncode == 255:  # ssh's own, as in the connection plug-in
            raise AnsibleConnectionFailure(f"the connection broke while payloads were sent: {ended.stderr.strip()}")
        code.answer(ended.returncode, ended.stdout, ended.stderr)
        return None

    def _push_files(self, payloads: Sequence[Payload]) -> None:
        """The same request, with the payloads as temporary files on the node."""
        folder = self._make_tmp_path()
        try:
            manifests = []
            for number, payload in enumerate(payloads):
                remote = self._connection._shell.join_path(folder, f"{number}.tar.zst")
                self._transfer_file(str(payload.path), remote)
                manifests.append(payload.manifest(remote))
            self._ask("receive", timeout=self._args["timeout"], payloads=manifests)
        finally:
            self._remove_tmp_path(folder)

    def _can_stream(self) -> bool:
        """Whether this is plain ssh where nobody has to type a password into the stream."""
        connection = self._connection
        if connection.transport != "ssh" or not hasattr(connection, "_build_command") or connection.has_tty:
            return False
        become_password = connection.become and self.get_become_option("become_pass")
        return not (become_password or connection.get_option("password") or self._play_context.password)

    def _ssh(self) -> list[bytes]:
        """The command line with which the connection plug-in would run the receiver; a live master is used again."""
        connection, remote = self._connection, code.command(python(self._task_vars))
        user, become_user = self._get_remote_user(), self.get_become_option("become_user")
        same_user = become_user == user and any((user, become_user))
        if connection.become and (constants.BECOME_ALLOW_SAME_USER or not same_user):
            remote = connection.become.build_become_command(remote, connection._shell)
        host = connection.get_option("host") or self._play_context.remote_addr
        command: list[bytes] = connection._build_command(connection.get_option("ssh_executable"), "ssh", host, remote)
        return command


def report(payload: Payload, *, changed: bool) -> dict[str, Any]:
    return {
        "name": payload.name,
        "version": payload.version,
        "changed": changed,
        "bytes": payload.size if changed else 0,
    }


def difference(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """For diff mode: what is on the node, by name."""
    return {
        "before": "".join(f"{line}\n" for line in before if line),
        "after": "".join(f"{line}\n" for line in after if line),
    }


Catalogue.load()  # now: Ansible imports the action before it forks, so it is parsed once a run and not once a task
