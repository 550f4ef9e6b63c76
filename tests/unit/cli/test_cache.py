"""The verbs of `cache`, as scripts and people meet them."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from tests.unit.cache.archives import docker_archive, hexsum
from tests.unit.cli.caches import ARCH, IMAGE, data, flip, packages


@pytest.fixture
def image(home, tmp_path):
    """IMAGE is in the cache."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_archive([IMAGE], arch=ARCH))
    ImageCache(home / "cache/images").add(archive)


@pytest.fixture
def cluster_file(tmp_path):
    file = tmp_path / "dev.yaml"
    hosts = [{"name": "cp1", "address": "127.0.0.1", "role": "control-plane"}]
    network = {"cni": "none", "loadBalancer": "none"}
    spec = {"provider": "static", "kubernetesVersion": "v1.36.4", "hosts": hosts, "network": network}
    file.write_text(
        yaml.safe_dump({"apiVersion": "ohmykube.dev/v1", "kind": "Cluster", "metadata": {"name": "dev"}, "spec": spec})
    )
    return file


def test_every_verb_has_help_with_an_example(run):
    for verb in ("list", "add", "pull", "verify", "prune", "stats", "export", "import"):
        code, out, _ = run("cache", verb, "--help")
        assert code == 0
        assert f"  ohmykube cache {verb}" in out


def test_pull_for_a_cluster_file_then_offline(run, catalogue, cluster_file, server, image):
    rows = data(run("cache", "pull", "-f", cluster_file, "-o", "json"))
    assert [row["kind"] for row in rows] == ["package"] * 7 + ["file", "image", "machine"]
    assert all(row["changed"] for row in rows[:8])
    asked = len(server.asked)
    again = data(run("cache", "pull", "-f", cluster_file, "--offline", "-o", "json"))
    assert not any(row["changed"] for row in again[:-1])
    assert len(server.asked) == asked
    code, _, err = run("up", "--offline", "-f", cluster_file)
    assert code == 1
    assert "not in the cache" not in err  # what it lacks is a key to the host


def test_pull_for_the_default_cluster_needs_no_provider(run, catalogue, image, monkeypatch):
    from ohmykube.providers import lookup

    monkeypatch.setattr(lookup, "load", lambda _: type("Unusable", (), {"unusable": staticmethod(lambda: "no")}))
    code, out, err = run("cache", "pull", "-o", "json")
    answer = json.loads(out)
    assert (code, answer["status"]) == (3, "partial"), err
    assert [row["state"] for row in answer["data"]] == ["new"] * 10 + ["kept", "no"]
    assert "127.0.0.1:1" in answer["errors"][0]["message"]  # all else is here


def test_pull_of_components(run, catalogue):
    code, out, _ = run("cache", "pull", "tool", "kubeadm", "tool@1.0.0")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["package", "tool"],
        ["package", "kubeadm"],
        ["package", "tool"],
    ]
    assert "kubeadm v1.36.4" in out
    assert out.splitlines()[1].endswith("new")
    assert "kept" in run("cache", "pull", "tool")[1]


def test_pull_offline_names_everything_that_is_missing(run, catalogue, cluster_file):
    code, out, _ = run("cache", "pull", "-f", cluster_file, "--offline", "-o", "json")
    answer = json.loads(out)
    assert (code, answer["status"]) == (1, "error")
    assert {error["code"] for error in answer["errors"]} == {"cache.offline"}
    assert len(answer["errors"]) == 8


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["pull", "nonsense"], "no component 'nonsense'"),
        (["pull", "tool@v9"], "no tool v9"),
        (["pull", "tool", "-f", "x.yaml"], "not both"),
        (["pull", "--arch", "arm64"], "single components"),
        (["pull", "-f", "nowhere.yaml"], "nowhere.yaml"),
        (["add", "nowhere", "--component", "tool", "--version", "v1.0.0"], "nowhere"),
        (["prune", "--max-size", "much"], "no size"),
        (["prune", "--keep-days", "-1"], "-1"),
        (["import", "--sha256"], "--sha256"),
    ],
)
def test_wrong_usage(run, catalogue, args, words):
    code, _, err = run("cache", *args)
    assert code == 2, err
    assert words in err
    assert "Traceback" not in err


def test_add_verifies_against_the_catalogue(run, catalogue, tmp_path):
    flags = ("--component", "tool", "--version", "v1.0.0")
    (tmp_path / "mine").write_bytes(b"tool-1" * 1000)
    rows = data(run("cache", "add", tmp_path / "mine", *flags, "--offline", "-o", "json"))
    assert [(row["component"], row["version"], row["verified"]) for row in rows] == [("tool", "v1.0.0", True)]
    (tmp_path / "mine").write_bytes(b"evil")
    code, _, err = run("cache", "add", tmp_path / "mine", *flags)
    assert code == 1
    assert "[cache.sum-mismatch]" in err


def test_export_and_import(run, catalogue, home, tmp_path, monkeypatch):
    run("cache", "pull", "tool", "kubeadm", "flannel")
    file = tmp_path / "cache.tar"
    told = data(run("cache", "export", file, "-o", "json"))
    assert told["sha256"] == hexsum(file.read_bytes())
    assert (told["entries"], told["bytes"]) == (3, file.stat().st_size)
    monkeypatch.setenv("OHMYKUBE_HOME", str(tmp_path / "elsewhere"))
    code, out, _ = run("cache", "import", file, "--sha256", told["sha256"])
    assert (code, out) == (0, "3 packages and 0 images new, 0 there already.\n")
    assert run("cache", "import", file)[1] == "0 packages and 0 images new, 3 there already.\n"
    assert not any(row["changed"] for row in data(run("cache", "pull", "tool", "--offline", "-o", "json")))
    flip(file)
    code, _, err = run("cache", "import", file)
    assert code == 1
    assert "[cache.import-refused]" in err
    assert "nothing of it was imported" in err


def test_through_a_pipe(run, catalogue, home, tmp_path):
    run("cache", "pull", "tool")
    argv = [sys.executable, "-m", "ohmykube", "cache"]
    sent = subprocess.run([*argv, "export", "-"], capture_output=True, check=True, timeout=60)
    assert hexsum(sent.stdout).encode() in sent.stderr
    assert run("cache", "export", "-", "-o", "json")[0] == 2
    environment = os.environ | {"OHMYKUBE_HOME": str(tmp_path / "elsewhere")}
    taken = subprocess.run(
        [*argv, "import", "-"], input=sent.stdout, capture_output=True, check=True, timeout=60, env=environment
    )
    assert taken.stdout.startswith(b"1 package and 0 images new")


def test_a_cache_of_a_newer_version_is_refused_politely(run, catalogue, home):
    packages(home).mkdir(parents=True)
    (packages(home) / "index.json").write_text('{"format": 9, "entries": []}')
    for verb in ("list", "verify", "prune", "stats", "pull"):
        code, _, err = run("cache", verb)
        assert code == 1, verb
        assert "newer ohmykube" in err
        assert "hint: Update ohmykube" in err
