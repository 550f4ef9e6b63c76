"""The tasks and the lookup, in one play: what they change, what they say, and that a second run changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ohmykube import COLLECTIONS
from tests.unit.cache.archives import docker_archive, files, hexsum

TOOL = files({"bin/tool": b"\x7fELF"})
LOOKUP = "'ohmykube.cluster.catalogue'"

Results = dict[str, dict[str, Any]]


def packages(*names: str, **options: object) -> dict[str, Any]:
    components = [{"component": name} for name in names]
    return {"ohmykube.cluster.package_cache": {"components": components, "catalogues": ["catalogue.yml"], **options}}


def images(archive: str) -> dict[str, Any]:
    return {"ohmykube.cluster.image_cache": {"archives": [archive]}}


def says(expression: str) -> dict[str, Any]:
    return {"ansible.builtin.debug": {"msg": "{{ " + expression + " }}"}}


CHECK = {"check_mode": True, "diff": True}
BOTH = packages("tool", "app", offline=True, architectures=["amd64"])
TASKS: dict[str, dict[str, Any]] = {
    "lookup_before": says(f"lookup({LOOKUP}, 'app').path"),
    "packages_checked": {**BOTH, **CHECK},
    "images_checked": {**images("image.tar"), **CHECK},
    "home_after_checks": says("'omk' is exists"),
    "packages_done": BOTH,
    "images_done": {**images("image.tar"), "diff": True},
    "packages_again": BOTH,
    "images_again": images("image.tar"),
    "packages_checked_again": {**BOTH, **CHECK},
    "images_checked_again": {**images("image.tar"), **CHECK},
    "unknown": packages("toll", "nothing"),
    "offline": packages("runc", "helm", offline=True),
    "offline_checked": {**packages("runc", "helm", offline=True), **CHECK},
    "no_image": images("catalogue.yml"),
    "lookup_one": says(f"lookup({LOOKUP}, 'app')"),
    "lookup_several": says(f"query({LOOKUP}, 'tool', 'app', arch='x86_64') | map(attribute='component')"),
    "lookup_version": says(f"lookup({LOOKUP}, 'kubeadm', version='1.36.3', arch='arm64')"),
    "lookup_unknown": says(f"lookup({LOOKUP}, 'kubeadmn')"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("play")
    write_sources(folder)
    tasks = [{**task, "register": name, "ignore_errors": True} for name, task in TASKS.items()]
    content = "{{ {" + ", ".join(f"'{name}': {name}" for name in TASKS) + "} | to_json }}"
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": "results.json", "mode": "0600"}})
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    environment = {
        **os.environ,
        "HOME": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "OHMYKUBE_HOME": str(folder / "omk"),
        "OHMYKUBE_CATALOGUE": "catalogue.yml",
        "LC_ALL": "C.UTF-8",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers: Results = json.loads((folder / "results.json").read_text())
    return answers


def write_sources(folder: Path) -> None:
    (folder / "tool.tgz").write_bytes(TOOL)
    (folder / "app.yml").write_text("kind: List")
    (folder / "image.tar").write_bytes(docker_archive(["busybox:1.37"]))
    tool, app = ({"sha256": hexsum(content)} for content in (TOOL, b"kind: List"))
    components = {
        "tool": {
            "members": {"bin/*": "usr/bin/"},
            "versions": {"v1.0": {"amd64": {"url": "file:tool.tgz", **tool}}},
        },
        "app": {"versions": {"v2.0": {"any": {"url": "file:app.yml", **app}}}},
    }
    (folder / "catalogue.yml").write_text(yaml.safe_dump({"components": components}))


def test_check_mode_foretells_and_writes_nothing(results: Results) -> None:
    assert results["packages_checked"]["changed"]
    assert results["packages_checked"]["diff"] == {"before": "", "after": "tool v1.0 (amd64)\napp v2.0 (any)\n"}
    assert results["packages_checked"]["entries"] == []
    assert results["images_checked"]["changed"]
    assert results["images_checked"]["images"] == []
    assert results["home_after_checks"]["msg"] is False


def test_packages_are_cached(results: Results) -> None:
    done = results["packages_done"]
    assert done["changed"]
    assert done["entries"][0]["files"] == ["usr/bin/tool"]
    assert Path(done["entries"][1]["path"]).read_text() == "kind: List"


def test_images_are_cached(results: Results) -> None:
    done = results["images_done"]
    assert done["changed"]
    assert done["images"][0]["reference"] == "docker.io/library/busybox:1.37"
    assert "docker.io/library/busybox:1.37 (amd64) sha256:" in done["diff"]["after"]


@pytest.mark.parametrize("again", ["again", "checked_again"])
def test_a_second_run_changes_nothing(results: Results, again: str) -> None:
    for kind, returned in (("packages", "entries"), ("images", "images")):
        second = results[f"{kind}_{again}"]
        assert not second["changed"]
        assert second[returned] == results[f"{kind}_done"][returned]


def test_failures_say_all_at_once(results: Results) -> None:
    assert results["unknown"]["error"]["code"] == "catalogue.missing"
    assert "Did you mean tool" in results["unknown"]["msg"]
    assert "'nothing'" in results["unknown"]["msg"]
    for name in ("offline", "offline_checked"):
        assert results[name]["failed"]
        assert results[name]["error"]["code"] == "cache.offline"
        assert "runc v1.4.3" in results[name]["msg"]
        assert "helm v3.18.4" in results[name]["msg"]
    assert results["no_image"]["error"]["code"] == "archive.corrupt"


def test_lookup(results: Results) -> None:
    assert results["lookup_before"]["msg"] == ""
    assert Path(results["lookup_one"]["msg"]["path"]).read_text() == "kind: List"
    assert results["lookup_one"]["msg"]["version"] == "v2.0"
    assert results["lookup_several"]["msg"] == ["tool", "app"]
    kubeadm = results["lookup_version"]["msg"]
    assert kubeadm["url"].endswith("/v1.36.3/bin/linux/arm64/kubeadm")
    assert kubeadm["members"] == {"": "usr/local/bin/kubeadm"}
    assert "registry.k8s.io/pause:3.10.2" in kubeadm["images"]
    assert results["lookup_unknown"]["failed"]
    assert "Did you mean kubeadm?" in results["lookup_unknown"]["msg"]
