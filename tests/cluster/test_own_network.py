"""A pod network and storage of one's own: add-ons that the cluster file names, of what others have written."""

import json
import shutil
from pathlib import Path

import pytest

from tests.chance import some
from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("machine_image")]

NAME = "ours"
POLICIES = "registry.k8s.io/networking/kube-network-policies:v1.0.0"
HEAD = f"""
apiVersion: ohmykube.dev/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  provider: nspawn
  workers: [{{count: 1}}]
"""
OWN = """
  network: {cni: mynet}
  storage: {csi: mydisks}
  addons: [{name: mydisks, path: ./mydisks}, {name: mynet, path: ./mynet}]
"""
# local-path's default class is ours; upstream has none. Its helper's image is named without a tag.
MYDISKS = """
images: ["docker.io/library/busybox:latest"]
patches:
  - kind: StorageClass
    name: local-path
    patch: [{op: add, path: /metadata/annotations, value: {storageclass.kubernetes.io/is-default-class: "true"}}]
"""


def test_a_network_other_than_flannel_alone(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    for another in some("a network", (_add_ons_are_the_network_and_the_storage, _policies_count_beside_flannel)):
        folder = tmp_path / another.__name__
        folder.mkdir()
        another(ohmykube, bundle, folder)


def _add_ons_are_the_network_and_the_storage(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    before = computer.look()
    for name, manifest in {"mynet": "kube-flannel.yml", "mydisks": "local-path-storage.yaml"}.items():
        (tmp_path / name).mkdir()
        shutil.copy(bundle.folder / "manifests" / manifest, tmp_path / name)
    (tmp_path / "mynet/addon.yml").write_text("description: a network of one's own\n")
    (tmp_path / "mydisks/addon.yml").write_text(MYDISKS)
    (tmp_path / "dev.yaml").write_text(HEAD + OWN)
    up = ("up", "--file", str(tmp_path / "dev.yaml"), *bundle.flags)
    try:
        ohmykube.text(*up)
        status = ohmykube.data("status", "--name", NAME)
        assert status["ready"]
        assert {"mynet", "mydisks", "metallb"} <= {each["name"] for each in status["addons"] if each["available"]}
        checks = ohmykube.smoke(NAME)
        assert all(checks[name] == {"ok"} for name in ("pod on ours-worker-1", "volume", "load balancer"))
        assert not ohmykube.data(*up)["changed"]

        ohmykube.text("add", "--name", NAME, "--offline")
        assert ohmykube.data("status", "--name", NAME)["ready"]
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
    assert computer.left(before, ohmykube.cluster(NAME)) == []


def _policies_count_beside_flannel(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    """The bundle's image asks for no `queue` of nftables, which not every kernel has, so nor are nodes asked for it."""
    if POLICIES not in {image["reference"] for image in ohmykube.data("image", "list")}:
        pytest.skip(f"no {POLICIES} in the bundle")
    (tmp_path / "dev.yaml").write_text(HEAD + "  vars: {flannel_network_policy: true, node_kernel_modules: []}\n")
    up = ("up", "--file", str(tmp_path / "dev.yaml"), *bundle.flags)
    try:
        ohmykube.text(*up)
        checks = ohmykube.smoke(NAME)
        assert checks["network policy: deny"] == checks["network policy: allow"] == {"ok"}
        assert not ohmykube.data(*up)["changed"]

        # Taken back while the cluster runs.
        (tmp_path / "dev.yaml").write_text(HEAD + "  vars: {node_kernel_modules: []}\n")
        assert ohmykube.data(*up)["changed"]
        assert ohmykube.smoke(NAME)["network policy"] == {"skipped"}
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


@pytest.mark.skipif(computer.has_module("nft_queue"), reason="this computer's kernel has nft_queue")
def test_policies_want_a_kernel_that_has_queues(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "dev.yaml").write_text(HEAD + "  vars: {flannel_network_policy: true}\n")
    try:
        done = ohmykube("up", "--file", str(tmp_path / "dev.yaml"), *bundle.flags, "-o", "json")
        errors = json.loads(done.stdout)["errors"]
        assert {error["code"] for error in errors} == {"node.kernel_feature"}
        assert "as a module: nft_queue" in errors[0]["message"]
        assert errors[0]["hint"].endswith("or leave flannel_network_policy out")
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
