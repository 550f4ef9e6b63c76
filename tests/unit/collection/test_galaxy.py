"""The collection as Galaxy has it: built, installed elsewhere, and used from outside of the checkout."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.galaxy import COLLECTION, ansible, install

PLAY = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/ohmykube.cluster.packages: {offline: true, catalogues: [own.yml]}
  tasks:
    - ansible.builtin.copy:
        dest: seen.json
        content: "{{ lookup('ohmykube.cluster.catalogue', 'own', catalogues=['own.yml']) | to_json }}"
    - ohmykube.cluster.package_cache:
        components: [{component: own}]
"""
OVERLAY = "components: {own: {versions: {v1.0: {any: {url: 'https://mirror.example.org/own', sha256: %s}}}}}\n"


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder with the collection installed in it, as from Galaxy."""
    folder = tmp_path_factory.mktemp("outside")
    install(folder)
    return folder


def test_a_play_from_outside_uses_it(outside):
    (outside / "own.yml").write_text(OVERLAY % ("1" * 64))
    (outside / "play.yml").write_text(PLAY)
    done = ansible("ansible-playbook", "play.yml", folder=outside)
    assert json.loads((outside / "seen.json").read_text())["version"] == "v1.0"
    assert "cache.offline" in done.stdout, done.stdout + done.stderr  # the group's defaults have come


def test_its_playbooks_are_found_by_name(outside):
    (outside / "hosts.yml").write_text("control_plane: {hosts: {a: }}\nworkers: {hosts: {b: }}\n")
    done = ansible("ansible-playbook", "-i", "hosts.yml", "--list-tasks", "ohmykube.cluster.site", folder=outside)
    assert done.returncode == 0, done.stderr
    assert "kubeadm" in done.stdout
    reset = ansible("ansible-playbook", "-i", "hosts.yml", "--syntax-check", "ohmykube.cluster.reset", folder=outside)
    assert reset.returncode == 0, reset.stderr


def test_action_groups_hold_what_takes_the_same_options():
    groups = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["action_groups"]
    assert groups.keys() == {"packages"}
    modules = {path.stem: path.read_text() for path in (COLLECTION / "plugins/modules").glob("*.py")}
    taking = {name for name, text in modules.items() if "\n  allow_unverified:" in text}
    assert set(groups["packages"]) == taking
    for name in taking:
        assert all(f"\n  {option}:" in modules[name] for option in ("catalogues", "home", "offline"))


def test_the_changelog_is_well_formed(tmp_path):
    pytest.importorskip("antsibull_changelog", reason="the extra `lint` is not installed")
    program = Path(sys.executable).with_name("antsibull-changelog")
    for verb in (["lint"], ["lint-changelog-yaml", "changelogs/changelog.yaml"]):
        done = subprocess.run(
            [str(program), *verb], cwd=COLLECTION, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_changelog_speaks_of_the_version():
    version = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"]
    releases = yaml.safe_load((COLLECTION / "changelogs/changelog.yaml").read_text())["releases"]
    assert version in releases
    escaped = version.replace(".", "\\.")
    assert f"\n## v{escaped}\n" in (COLLECTION / "CHANGELOG.md").read_text()


def test_the_changelog_names_every_module_and_plugin():
    """What it misses, `antsibull-changelog release --reload-plugins` adds."""
    releases = yaml.safe_load((COLLECTION / "changelogs/changelog.yaml").read_text())["releases"].values()
    told = {"modules": [each for release in releases for each in release.get("modules", ())]}
    for kind in ("filter", "inventory", "lookup"):
        told[kind] = [each for release in releases for each in release.get("plugins", {}).get(kind, ())]
    for kind, entries in told.items():
        files = {path.stem for path in (COLLECTION / "plugins" / kind).glob("*.py")} - {"__init__"}
        assert {each["name"] for each in entries} == files, kind


def test_what_the_controller_needs_is_what_the_package_needs():
    """requirements.txt is for those who have the collection alone, and execution environments."""
    project = (COLLECTION.parents[3] / "pyproject.toml").read_text().lower()
    lines = (COLLECTION / "requirements.txt").read_text().lower().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted
    assert [line for line in wanted if f'"{line}"' not in project] == []
    environment = yaml.safe_load((COLLECTION / "execution-environment.yml").read_text())["dependencies"]
    assert f'"{environment["ansible_core"]["package_pip"]}"' in project
    assert f'"{environment["ansible_runner"]["package_pip"]}"' in project
