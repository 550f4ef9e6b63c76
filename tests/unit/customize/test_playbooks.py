"""Which hosts take part where hooks run. In check mode, since this computer is the node."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from ohmykube import COLLECTIONS

PLAYS = """
- name: Begin
  hosts: all
  gather_facts: false
- name: Before
  ansible.builtin.import_playbook: ohmykube.cluster.hooks
  vars: {customize_moment: preSystem}
- name: After
  ansible.builtin.import_playbook: ohmykube.cluster.hooks
  vars: {customize_moment: postSystem}
"""


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_CONFIG": str(folder / "none")}
    environment["ANSIBLE_LOCAL_TEMP"] = str(folder / "tmp")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_only_hosts_with_hooks_of_the_moment_take_part(tmp_path: Path) -> None:
    hook = {"name": "one", "script": "true"}
    hosts = {
        "a": {},
        "b": {"customize_hooks": {"preSystem": [hook]}},
        "c": {"customize_hooks": {"preKubernetes": [hook]}},
        "theirs": {"customize_hooks": {"preSystem": [hook]}},
    }
    groups = {"control_plane": {"hosts": {"a": {}}}, "workers": {"hosts": {"b": {}, "c": {}}}}
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": hosts, "children": groups, "vars": variables}})
    )
    (tmp_path / "play.yml").write_text(PLAYS)
    said = run(tmp_path, "--check", "play.yml")
    assert said.count("no hosts matched") == 1
    assert re.findall(r"^(\w+) +: ok=(\d+) +changed=(\d+)", said, re.MULTILINE) == [("b", "1", "1")]


def test_a_playbook_can_be_listed_before_anything_is_known(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {}}, children: {control_plane: {hosts: {a: {}}}}}")
    assert "Prepare the system" in run(tmp_path, "--list-tasks", "ohmykube.cluster.site")
