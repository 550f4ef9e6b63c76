"""--allow-unverified: what nobody has a sum for is taken only by those who say so, all the way to the roles."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache

from ohmykube import COLLECTIONS
from ohmykube.artifacts import CachedArtifacts
from ohmykube.cli import baking, cluster
from ohmykube.errors import OhmykubeError

COLLECTION = COLLECTIONS / "ansible_collections/ohmykube/cluster"
ROLE = re.compile(r"name: ohmykube\.cluster\.(\w+)")
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """local-path-provisioner in a version of one's own, without a sum."""
    (tmp_path / "local-path.yml").write_text(MANIFEST)
    versions = {"v99.0.0": {"any": {"url": "file:local-path.yml"}}}
    file = tmp_path / "catalogue.yml"
    file.write_text(yaml.safe_dump({"components": {"local_path": {"versions": versions}}}))
    monkeypatch.setenv("OHMYKUBE_CATALOGUE", str(file))
    return file


def test_what_was_taken_serves_only_those_who_allow_it(run, catalogue: Path, home: Path) -> None:
    code, _, err = run("cache", "pull", "local_path")
    assert code == 1
    assert "--allow-unverified" in err
    assert run("cache", "pull", "local_path", "--allow-unverified")[0] == 0
    artifacts = CachedArtifacts(home / "cache", (catalogue,), offline=True)
    (artifact,) = [each for each in artifacts.defaults() if each.component == "local_path"]
    with pytest.raises(OhmykubeError) as caught:
        artifacts.pull([artifact], lambda _: None)
    assert caught.value.code == "cache.unverified"
    allowing = CachedArtifacts(home / "cache", (catalogue,), offline=True, allow_unverified=True)
    ((entry, new),) = allowing.pull([artifact], lambda _: None)
    assert (entry.version, entry.verified, new) == ("v99.0.0", False, False)


@pytest.mark.parametrize("verb", [("up",), ("cache", "bake")])
@pytest.mark.parametrize("flags", [(), ("--allow-unverified",)])
def test_the_verbs_that_make_machines_pass_it_on(
    run, verb: tuple[str, ...], flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def execute(_plan, context):
        told.append((context.artifacts.allow_unverified, context.playbooks.allow_unverified))
        raise OhmykubeError("stop", "that is all")

    monkeypatch.setattr(cluster, "execute", execute)
    monkeypatch.setattr(baking, "execute", execute)
    assert run(*verb, "--provider", "nspawn", *flags)[0] == 1
    assert told == [(bool(flags), bool(flags))]
    assert "--allow-unverified" in run(*verb, "--help")[1]


def plays_that_fetch_manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Role and play, where a play fetches the manifests of roles, or uses a role whose tasks do."""
    for file in sorted((COLLECTION / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(file.read_text()):
            text = yaml.safe_dump(play.get("tasks"))
            other = "tasks_from: disks" in text or "tasks_from: variables" in text  # which is before all that
            for role in () if other and "package_cache:" not in text else ROLE.findall(text):
                tasks = COLLECTION / "roles" / role / "tasks" / "manifest.yml"
                if tasks.exists() and "package_cache" in tasks.read_text():
                    yield role, play


@pytest.mark.parametrize("allowed", ["", "1"])
def test_plays_that_fetch_manifests_hear_of_it(catalogue: Path, home: Path, tmp_path: Path, allowed: str) -> None:
    plays = list(plays_that_fetch_manifests())
    assert {role for role, _ in plays} == {"cilium", "flannel", "local_path", "metallb", "rook_ceph"}
    (play,) = [play for role, play in plays if role == "local_path"]
    defaults = play.get("module_defaults", {})
    assert all(other.get("module_defaults") == defaults for _, other in plays)

    fetch = {"ansible.builtin.import_role": {"name": "ohmykube.cluster.local_path", "tasks_from": "manifest"}}
    own = [{"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": [fetch]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(own))
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "OHMYKUBE_ALLOW_UNVERIFIED": allowed,
        "LC_ALL": "C.UTF-8",
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == (0 if allowed else 2), done.stdout + done.stderr
    assert ("--allow-unverified" in done.stdout) is not bool(allowed)
    entries = Cache(home / "cache/packages").entries()
    assert [entry.component for entry in entries] == (["local_path"] if allowed else [])
