"""image as people and scripts meet it; what it does is tested where it is done."""

import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from tests.unit.cache.archives import Oci, docker_archive
from tests.unit.images.programs import engine, search
from tests.unit.images.registry import PROGRAM, serve


def data(run, *args):
    code, out, err = run("image", *args, "-o", "json")
    assert code == 0, err
    return json.loads(out)["data"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    layout = Oci()
    layout.name(layout.image("amd64"), io_containerd_image_name="quay.io/me/app:v1")
    layout.name(layout.image("arm64"), io_containerd_image_name="quay.io/me/app:v1")
    (tmp_path / "app.tar").write_bytes(layout.tar())
    return tmp_path / "app.tar"


def test_add_list_export_rm(run, archive: Path, tmp_path: Path) -> None:
    assert [row["arch"] for row in data(run, "add", archive)] == ["amd64", "arm64"]
    assert [row["image"] for row in data(run, "list")] == ["quay.io/me/app:v1"] * 2  # not their names by digest

    target = tmp_path / "out.tar"
    assert data(run, "export", "quay.io/me/app:v1", target, "--arch", "arm64")["images"] == ["quay.io/me/app:v1"] * 2
    assert len(ImageCache(tmp_path / "other").add(target)) == 4

    assert len(data(run, "rm", "quay.io/me/app:v1")) == 2
    assert data(run, "list") == []
    code, _, err = run("image", "rm", "quay.io/me/app:v1")
    assert code == 1
    assert "image.unknown" in err


def test_an_export_for_an_architecture_that_is_not_there(run, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(docker_archive(["a:1"], arch="arm64"))
    data(run, "add", tmp_path / "x.tar")
    code, _, err = run("image", "export", "a:1", tmp_path / "out.tar", "--arch", "amd64")
    assert code == 1
    assert "there for arm64: --arch" in err


def test_from_an_engine(run, tmp_path: Path, monkeypatch) -> None:
    engine(tmp_path, "docker", [("app:v1", docker_archive(["app:v1"]))])
    monkeypatch.setenv("PATH", search(tmp_path))
    code, _, err = run("image", "add", "app:v1")
    assert code == 2
    assert "--from docker app:v1" in err
    assert [row["image"] for row in data(run, "add", "--from", "docker", "app:v1")] == ["docker.io/library/app:v1"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "name images, or what lists them"),
        (["--values", "/dev/null", "a:1"], "--values is for --chart"),
        (["--manifest", "nowhere.yaml"], "nowhere.yaml"),
        (["Not A Reference"], "is no image reference"),
        (["--arch", "x86_64", "a:1"], "x86_64"),
        (["--kubernetes", "v1.2.3"], "has no kubeadm v1.2.3"),
        (["-f", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_wrong_usage_of_pull(run, args: list[str], words: str) -> None:
    code, out, err = run("image", "pull", *args)
    assert (code, out) == (2, "")
    assert words in err


def test_offline_names_everything_that_is_not_here(run, archive: Path) -> None:
    data(run, "add", archive)
    code, out, _ = run("image", "pull", "--offline", "--arch", "amd64", "quay.io/me/app:v1", "b:1", "c:1", "-o", "json")
    answer = json.loads(out)
    assert (code, answer["status"]) == (3, "partial")
    assert [row["state"] for row in answer["data"]] == ["kept"]
    assert [error["code"] for error in answer["errors"]] == ["image.offline"] * 2
    assert run("image", "pull", "--offline", "b:1", "c:1")[0] == 1


def test_the_images_of_a_cluster_file(run, tmp_path: Path) -> None:
    file = tmp_path / "dev.yaml"
    file.write_text(
        "metadata: {name: dev}\nspec:\n  provider: static\n  kubernetesVersion: v1.36.4\n  hosts:\n"
        "    - {name: cp, address: 192.0.2.1, role: control-plane}\n  network: {loadBalancer: none}\n"
    )
    code, out, _ = run("image", "pull", "-f", file, "--offline", "-o", "json")
    assert code == 1
    missing = [error["context"]["image"] for error in json.loads(out)["errors"]]
    assert "registry.k8s.io/kube-apiserver:v1.36.4" in missing
    assert any("flannel" in name for name in missing)
    assert not any("metallb" in name for name in missing)


@pytest.mark.skipif(PROGRAM is None or not shutil.which("docker-registry"), reason="docker-registry is not installed")
def test_pull_from_a_real_registry_by_a_manifest(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    with serve(tmp_path / "registry") as registry:
        registry.push("app", {"amd64": b"x", "arm64": b"y"}, "v1")
        name = f"{registry.address}/app:v1"
        (tmp_path / "pod.yaml").write_text(f"kind: Pod\nspec: {{containers: [{{image: '{name}'}}]}}\n")
        pull = ("pull", "--manifest", tmp_path / "pod.yaml", "--arch", "arm64", "--insecure-registry", registry.address)
        (row,) = data(run, *pull)
        assert (row["image"], row["arch"], row["state"]) == (name, "arm64", "new")
        assert data(run, *pull)[0]["state"] == "kept"
        assert run("image", "pull", name)[0] == 1  # by https, unless it was said
