"""A play with the action `distribute`, as ansible-playbook runs it."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ohmykube import COLLECTIONS

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")
CONTROL = Path(f"/tmp/ohmykube-test-{os.getpid()}")  # a socket's path must be short


@dataclass(frozen=True)
class Play:
    """A play on one host, `node`, whose files lie below `root`. The caches are those of `home`."""

    folder: Path
    home: Path
    root: Path
    variables: dict[str, Any]

    def catalogue(self, **files: bytes) -> None:
        """Write files and an overlay by which each is a component of that name, with the one version v1.0.0."""
        components: dict[str, Any] = {}
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
            source = {"url": f"file:{name}", "sha256": hashlib.sha256(content).hexdigest()}
            members = {"": f"usr/local/bin/{name}"}
            versions = {"v1.0.0": {ARCH: source}}
            components[name] = {"format": "raw", "members": members, "mode": "0755", "versions": versions}
        (self.folder / "catalogue.yml").write_text(yaml.safe_dump({"components": components}))

    def run(self, *tasks: dict[str, Any], keywords: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        """The results of `distribute` with each of these arguments; keywords: of the task with the same number."""
        process = self.start(*tasks, keywords=keywords)
        output, _ = process.communicate(timeout=300)
        shutil.rmtree(CONTROL, ignore_errors=True)  # ssh's masters end by themselves
        assert process.returncode == 0, output
        (self.folder / "output").write_text(output)
        results: list[dict[str, Any]] = json.loads((self.folder / "results.json").read_text())
        return results

    def start(self, *tasks: dict[str, Any], keywords: Sequence[dict[str, Any]] = ()) -> subprocess.Popen[str]:
        """The same as a process group of its own, to be killed."""
        overlay = self.folder / "catalogue.yml"
        steps: list[dict[str, Any]] = []
        for number, arguments in enumerate(tasks):
            options = {"root": str(self.root), "catalogues": [str(overlay)], "offline": True, **arguments}
            more = keywords[number] if number < len(keywords) else {}
            name = f"result_{number}"
            steps.append({"ohmykube.cluster.distribute": options, "register": name, "ignore_errors": True, **more})
        content = f"{{{{ [{', '.join(f'result_{number}' for number in range(len(tasks)))}] | to_json }}}}"
        dump = {"content": content, "dest": str(self.folder / "results.json"), "mode": "0600"}
        local = {"delegate_to": "localhost", "vars": {"ansible_connection": "local"}, "become": False}
        steps.append({"ansible.builtin.copy": dump, **local})
        play = [{"hosts": "node", "gather_facts": False, "tasks": steps}]
        (self.folder / "play.yml").write_text(yaml.safe_dump(play))
        inventory = {"all": {"hosts": {"node": self.variables}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        environment = {
            **os.environ,
            "ANSIBLE_BECOME_ALLOW_SAME_USER": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(self.folder / "none.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=5s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(CONTROL),
            "OHMYKUBE_HOME": str(self.home),
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", "play.yml", "-vvv"]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=environment, start_new_session=True, **streams)


def changes(result: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    """Name, changed, and whether bytes were moved, of each payload of a result."""
    return [(each["name"], each["changed"], each["bytes"] > 0) for each in result["payloads"]]
