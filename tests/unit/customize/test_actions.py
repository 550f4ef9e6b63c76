"""Both modules as tasks, in check mode, since this computer is the node: sources are read, and contents not told."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ohmykube import COLLECTIONS

Task = dict[str, dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """That of a playbook, with files beside it."""
    files = tmp_path / "files"
    (files / "tree").mkdir(parents=True)
    (files / "tree" / "leaf").write_bytes(b"\xff")
    (files / "script").write_text("echo hush\n")
    return tmp_path


def play(folder: Path, *tasks: Task) -> tuple[list[dict[str, Any]], str]:
    """The results of the tasks, and all that Ansible said."""
    names = [f"result_{number}" for number in range(len(tasks))]
    steps: list[Any] = [
        {**task, "register": name, "ignore_errors": True} for task, name in zip(tasks, names, strict=True)
    ]
    told = {
        "content": f"{{{{ [{', '.join(names)}] | to_json }}}}",
        "dest": str(folder / "results.json"),
        "mode": "0600",
    }
    steps.append({"ansible.builtin.copy": told, "check_mode": False})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "check_mode": True, "tasks": steps}
    python = {"ansible_python_interpreter": sys.executable}
    (folder / "play.yml").write_text(yaml.safe_dump([{**play, "vars": python}]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(folder / "none.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
    }
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        "localhost,",
        "--diff",
        "-vvvv",
        "play.yml",
    ]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "results.json").read_text()), done.stdout.rpartition("ansible.builtin.copy")[0]


def test_sources_are_read_on_the_controller_and_contents_are_not_told(folder: Path) -> None:
    target = folder / "target"
    entries = [
        {"path": f"{target}/tree", "source": "tree"},
        {"path": f"{target}/motd", "content": "{% raw %}{{ open }}{% endraw %}\n", "owner": str(os.getuid())},
        {"path": f"{target}/token", "content": "hush", "mode": "0600"},
    ]
    hooks = [{"name": "one", "file": "script"}, {"name": "two", "script": "echo hush", "timeout": 5}]
    results, said = play(
        folder,
        {"ohmykube.cluster.node_files": {"files": entries}},
        {"ohmykube.cluster.node_hooks": {"moment": "preSystem", "hooks": hooks}},
    )
    placed, ran = results
    assert placed["changes"] == [f"{target}/tree/", f"{target}/motd", f"{target}/token", f"{target}/tree/leaf"]
    assert placed["diff"][1]["after"].endswith("{{ open }}\n")
    assert ran["changes"] == ["hook preSystem/one", "hook preSystem/two"]
    assert not target.exists()
    assert "hush" not in json.dumps(results)
    assert "hush" not in said


def test_what_is_not_there_is_named(folder: Path) -> None:
    missing = str(folder / "missing")
    results, _ = play(
        folder,
        {"ohmykube.cluster.node_files": {"files": [{"path": "/etc/x", "source": missing}]}},
        {"ohmykube.cluster.node_hooks": {"moment": "preSystem", "hooks": [{"name": "one", "file": missing}]}},
        {"ohmykube.cluster.node_files": {"files": [{"path": "/etc/x", "content": "", "directory": True}]}},
        {"ohmykube.cluster.node_hooks": {"moment": "preSystem", "hooks": [{"name": "one"}]}},
    )
    assert [result["failed"] for result in results] == [True] * 4
    assert results[0]["error"]["code"] == results[1]["error"]["code"] == "source.missing"
    assert missing in results[0]["msg"]
    assert "mutually exclusive" in results[2]["msg"]
    assert "one of the following" in results[3]["msg"]
