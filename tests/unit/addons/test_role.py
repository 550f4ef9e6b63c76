"""The role and playbooks, in check mode, since this computer is the node."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from ohmykube import COLLECTIONS

README = COLLECTIONS / "ansible_collections/ohmykube/cluster/roles/addon/README.md"
MANIFEST = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {text: '{{ not ours }}'}}"


def play(folder: Path, *arguments: str, **variables: object) -> str:
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    groups = {"control_plane": {"hosts": {"a": {}, "b": {}}}, "workers": {"hosts": {"c": {}}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": {**host, **variables}, "children": groups}}))
    (folder / "empty.yml").write_text("components: {metrics_server: {url: 'file:components.yaml'}}")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(folder / "none"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "OHMYKUBE_CATALOGUE": str(folder / "empty.yml"),
    }
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        "hosts.yml",
        "--check",
        "--diff",
        *arguments,
    ]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def own(folder: Path) -> Path:
    (folder / "hello").mkdir()
    (folder / "hello/addon.yml").write_text("requires: [metrics-server]")
    (folder / "hello/config.yml").write_text(MANIFEST)
    return folder


def counts(said: str) -> list[tuple[str, ...]]:
    return re.findall(r"^(\w+) +: ok=(\d+) +changed=(\d+)", said, re.MULTILINE)


def test_the_example_of_the_readme(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "play.yml").write_text(example.replace("become: true", "become: false"))
    (tmp_path / "components.yaml").write_text(MANIFEST)
    said = play(own(tmp_path), "play.yml")
    assert "+metrics_server v0.9.0 (any)" in said
    assert said.index("+the add-on metrics-server") < said.index("+the add-on hello")


def test_who_wants_no_add_ons_pays_for_no_task(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(
        "- {name: Begin, hosts: all, gather_facts: false}\n"
        "- {ansible.builtin.import_playbook: ohmykube.cluster.wanted_addons}\n"
    )
    said = play(tmp_path, "play.yml")
    assert said.count("no hosts matched") == 1
    assert counts(said) == []
    assert counts(play(tmp_path, "play.yml", addon_wanted=[], addon_absent=["old"])) == [("a", "1", "0")]


def test_images_go_to_every_node_and_add_ons_to_one_control_plane(tmp_path: Path) -> None:
    folder, wanted = own(tmp_path), [{"name": "hello", "path": str(tmp_path / "hello")}]
    (tmp_path / "components.yaml").write_text(MANIFEST)
    said = play(folder, "ohmykube.cluster.addon", addon_wanted=wanted)
    assert [(host, ok) for host, ok, _ in counts(said)] == [("a", "3"), ("b", "1"), ("c", "1")]


def test_a_folder_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    folder = own(tmp_path)
    (folder / "hello/addon.yml").write_text("\nversoin: 1")
    try:
        play(folder, "ohmykube.cluster.addon", addon_wanted=[{"name": "hello", "path": "hello"}])
    except AssertionError as error:
        assert "addon.yml:2: versoin is no known key (did you mean 'version'?)" in str(error)
    else:
        raise AssertionError("it was taken")


def test_a_chart_needs_helm_on_this_computer(tmp_path: Path) -> None:
    (tmp_path / "hello/web").mkdir(parents=True)
    (tmp_path / "hello/addon.yml").write_text("chart: ./web")
    (tmp_path / "hello/web/Chart.yaml").write_text("{apiVersion: v2, name: web, version: 1.0.0}")
    wanted = [{"name": "hello", "path": str(tmp_path / "hello")}]
    said = play(tmp_path, "ohmykube.cluster.addon", addon_wanted=wanted)
    assert "+helm v3.18.4 (amd64)" in said or "+helm v3.18.4 (arm64)" in said
