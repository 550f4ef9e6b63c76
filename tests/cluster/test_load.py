"""Images on a running cluster: from archives and registries, over older ones, by digest, and where a node fails."""

import hashlib
import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ohmykube.artifacts import architecture
from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import PATIENCE, soon
from tests.unit.images import registry as registries

pytestmark = pytest.mark.cluster

NAME = "ld"
PLANE, WORKER = f"{NAME}-control-plane-1", f"{NAME}-worker-1"
_OTHER = {"amd64": "arm64", "arm64": "amd64"}


@dataclass(frozen=True)
class Cluster:
    ohmykube: CommandLine
    bundle: Bundle

    def load(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.ohmykube("load", "--name", NAME, "-o", "json", *words)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return self.bundle.kubectl(self.ohmykube.cluster(NAME) / "kubeconfig", *words, stdin=stdin)

    def on(self, node: str, *command: str) -> str:
        return self.ohmykube.text("shell", "--name", NAME, node, "--", *command)

    def start(self, pod: str, image: str, node: str = WORKER) -> None:
        """A pod that says which version it is, and stays. Nothing is ever pulled: no registry can be reached."""
        spec = {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": pod, "image": image, "command": ["sh", "-c", "cat /version; exec sleep 1000"]}],
        }
        wanted = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": spec}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(wanted))
        self.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", f"--timeout={PATIENCE:.0f}s")

    def says(self, pod: str) -> str:
        """Its first line, which may come a little after it is ready."""
        return soon(lambda: self.kubectl("logs", pod).strip())

    def remove(self, *pods: str) -> None:
        self.kubectl("delete", "pod", *pods, "--wait")

    def containers(self, pod: str) -> Any:
        return json.loads(self.kubectl("get", "pod", pod, "--output=json"))["status"]["containerStatuses"]


@pytest.fixture(scope="module")
def cluster(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> Iterator[Cluster]:
    ohmykube.text("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *bundle.flags)
    yield Cluster(ohmykube, bundle)
    ohmykube.text("down", "--force", "--name", NAME)
    kept = [image["reference"] for image in ohmykube.data("image", "list") if "/ld" in image["reference"]]
    if kept:
        ohmykube.text("image", "rm", *kept)  # the cache is that of all tests


def test_an_archive_reaches_every_node_and_is_there_then(cluster: Cluster, tmp_path: Path) -> None:
    archive = app(cluster.bundle, tmp_path, "one")
    begin = time.monotonic()

    answer = json.loads(cluster.load(str(archive)).stdout)

    print(f"load took {time.monotonic() - begin:.1f} s")
    assert answer["status"] == "ok"
    assert answer["data"]["nodes"] == [PLANE, WORKER]
    assert answer["data"]["changed"]
    assert not json.loads(cluster.load(str(archive)).stdout)["data"]["changed"]
    for node in (PLANE, WORKER):
        cluster.start(node, "ldapp:v1", node)
        assert cluster.says(node) == "one"
    cluster.remove(PLANE, WORKER)


def test_a_tag_moves_while_a_pod_runs_what_it_was(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.load(str(app(cluster.bundle, tmp_path, "old"))).returncode == 0
    cluster.start("before", "ldapp:v1")

    assert cluster.load(str(app(cluster.bundle, tmp_path, "new"))).returncode == 0

    cluster.start("after", "ldapp:v1")
    assert (cluster.says("before"), cluster.says("after")) == ("old", "new")
    (container,) = cluster.containers("before")
    assert container["ready"]
    assert container["restartCount"] == 0
    cluster.remove("before", "after")


def test_only_the_nodes_that_were_named(cluster: Cluster, tmp_path: Path) -> None:
    archive = str(app(cluster.bundle, tmp_path, "here", "ldhere:v1"))
    answer = json.loads(cluster.load(archive, "--nodes", WORKER).stdout)
    assert answer["data"]["nodes"] == [WORKER]
    assert "ldhere" in images_of(cluster, WORKER)
    assert "ldhere" not in images_of(cluster, PLANE)

    unknown = cluster.load(archive, "--nodes", f"{WORKER}0")
    assert unknown.returncode == 2
    assert f"did you mean '{WORKER}'" in unknown.stdout


def test_what_the_nodes_cannot_run_is_refused_unless_it_is_meant(cluster: Cluster, tmp_path: Path) -> None:
    archive = str(app(cluster.bundle, tmp_path, "foreign", "ldforeign:v1", arch=_OTHER[architecture()]))
    refused = cluster.load(archive)
    assert refused.returncode == 1
    assert {error["code"] for error in json.loads(refused.stdout)["errors"]} == {"image.arch"}
    assert "ldforeign" not in images_of(cluster, WORKER)

    assert cluster.load(archive, "--skip-arch-check").returncode == 0
    assert "ldforeign" in images_of(cluster, WORKER)


def test_a_node_that_fails_is_named_and_the_others_have_it(cluster: Cluster, tmp_path: Path) -> None:
    archive = str(app(cluster.bundle, tmp_path, "partly", "ldpartly:v1"))
    cluster.on(WORKER, "systemctl", "stop", "containerd")
    try:
        done = cluster.load(archive)
    finally:
        cluster.on(WORKER, "systemctl", "start", "containerd")

    assert done.returncode == 3
    answer = json.loads(done.stdout)
    assert answer["status"] == "partial"
    assert [(error["code"], error["context"]["node"]) for error in answer["errors"]] == [
        ("node.containerd-down", WORKER)
    ]
    assert "ldpartly" in images_of(cluster, PLANE)
    assert cluster.load(archive).returncode == 0
    assert "ldpartly" in images_of(cluster, WORKER)


@pytest.mark.skipif(registries.PROGRAM is None, reason="docker-registry is not installed")
def test_digests_resolve_where_no_registry_can_be_reached(cluster: Cluster, tmp_path: Path) -> None:
    """The registry is on this computer's loopback: the node cannot ask it."""
    arch = architecture()
    with registries.serve(tmp_path / "registry") as registry:
        name = f"{registry.address}/ldpulled"
        content = {arch: layer(cluster.bundle, "pulled"), _OTHER[arch]: layer(cluster.bundle, "not this one")}
        digest = registry.push("ldpulled", content, "v1", files=False)
        pull = ("image", "pull", f"{name}:v1", f"{name}@{digest}", "--insecure-registry", registry.address)
        assert [image["changed"] for image in cluster.ohmykube.data(*pull)] == [True, False]

    assert cluster.load(f"{name}:v1").returncode == 0
    for pod, image in {"tag": f"{name}:v1", "digest": f"{name}@{digest}", "both": f"{name}:v1@{digest}"}.items():
        cluster.start(pod, image)
        assert cluster.says(pod) == "pulled"
    cluster.remove("tag", "digest", "both")


def images_of(cluster: Cluster, node: str) -> str:
    return cluster.on(node, "crictl", "images")


def app(bundle: Bundle, folder: Path, version: str, name: str = "ldapp:v1", arch: str = "") -> Path:
    """A docker-archive of busybox with a file that says which version it is."""
    layers = [busybox(bundle), tar({"version": f"{version}\n".encode()})]
    config = {
        "architecture": arch or architecture(),
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]},
    }
    files = {f"{number}/layer.tar": each for number, each in enumerate(layers)}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": list(files)}]
    path = folder / f"{version}.tar"
    path.write_bytes(
        tar({**files, "config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()})
    )
    return path


def layer(bundle: Bundle, version: str) -> bytes:
    """All of the same in one layer."""
    buffer = io.BytesIO(busybox(bundle))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        add(archive, "version", f"{version}\n".encode())
    return buffer.getvalue()


def busybox(bundle: Bundle) -> bytes:
    with tarfile.open(bundle.folder / "images" / "busybox.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest
        found = archive.extractfile(json.load(manifest)[0]["Layers"][0])
        assert found
        return found.read()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            add(archive, name, content)
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
