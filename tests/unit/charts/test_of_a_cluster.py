"""What a cluster with charts takes: helm, the charts, and the images that these turn out to run."""

from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm as program

from ohmykube.artifacts import CachedArtifacts, architecture
from ohmykube.model import load
from ohmykube.model.spec import AddonWish, Cluster
from tests.charts import cilium_chart
from tests.unit.charts.test_charts import sha

VERSION = "v1.36.4"
DEFAULTS = {("spec", "provider"): "static", ("spec", "kubernetesVersion"): VERSION}
GIVEN = {
    ("spec", "network", "loadBalancer"): "none",
    ("spec", "storage", "csi"): "none",
    ("spec", "hosts"): [{"name": "cp", "address": "192.0.2.1", "role": "control-plane"}],
}
IMAGE = "127.0.0.1:1/web:1"


def steps(_: str) -> None: ...


@pytest.fixture
def cluster() -> Cluster:
    given = tuple(load.Given(path, value, "the test") for path, value in GIVEN.items())
    made = load.build("dev", document=None, given=given, defaults=DEFAULTS, supported_versions=(VERSION,))
    wish = AddonWish(name="hello", files={"addon.yml": f"chart: web\nvalues: {{image: '{IMAGE}'}}"})
    return made.model_copy(update={"spec": made.spec.model_copy(update={"addons": (wish,)})})


@pytest.fixture
def overlay(helm: Path, packed: Path, tmp_path: Path) -> Path:
    components = {
        program.component(): {"versions": {"v9.9.9": {architecture(): {"url": f"file:{helm}", "sha256": sha(helm)}}}},
        "web": {"versions": {"v1.0.0": {"any": {"url": f"file:{packed}", "sha256": sha(packed)}}}},
        "flannel": {"versions": {"v99.0.0": {"any": {"images": []}}}},
        "kubeadm": {"versions": {VERSION: {architecture(): {"images": []}}}},
    }
    (tmp_path / "own.yml").write_text(yaml.safe_dump({"components": components}))
    return tmp_path / "own.yml"


def test_charts_come_before_their_images_are_known(cluster: Cluster, overlay: Path, tmp_path: Path) -> None:
    artifacts = CachedArtifacts(tmp_path / "home/cache", (overlay,), offline=False)
    assert not artifacts.images_complete(cluster)
    _, errors = artifacts.fetch_images(cluster, steps)
    assert IMAGE in [error.context.get("image") for error in errors]
    assert {artifact.component for artifact in artifacts.wanted(cluster)} >= {"web", program.component()}

    offline = CachedArtifacts(tmp_path / "home/cache", (overlay,), offline=True)
    (missing,) = offline.missing(cluster)
    assert f"image {IMAGE}" in missing.message
    assert "web v1.0.0" not in missing.message
    assert (tmp_path / "home/tools").is_dir()


def test_cilium_is_a_chart_too(helm: Path, cluster: Cluster, overlay: Path, tmp_path: Path) -> None:
    data = yaml.safe_load(overlay.read_text())
    data["components"]["cilium"] = {"versions": {"v1.20.0": {"any": {"url": f"file:{cilium_chart()}"}}}}
    overlay.write_text(yaml.safe_dump(data))
    network = cluster.spec.network.model_copy(update={"cni": "cilium", "proxy_mode": "none"})
    changes = {"addons": (), "network": network, "vars": {"cilium_hubble": True}}
    wish = cluster.model_copy(update={"spec": cluster.spec.model_copy(update=changes)})
    artifacts = CachedArtifacts(tmp_path / "home/cache", (overlay,), offline=True)
    before = {artifact.component: artifact.images for artifact in artifacts.wanted(wish)}
    assert {"cilium", program.component()} <= before.keys()
    assert "flannel" not in before
    artifacts.pull(artifacts._for_charts(wish), steps)
    after = {artifact.component: artifact.images for artifact in artifacts.wanted(wish)}
    assert {image.partition(":")[0] for image in after["cilium"]} - {
        image.partition(":")[0] for image in before["cilium"]
    } == {"quay.io/cilium/hubble-relay", "quay.io/cilium/certgen"}


def test_who_has_no_chart_needs_no_helm(cluster: Cluster, overlay: Path, tmp_path: Path) -> None:
    bare = cluster.model_copy(update={"spec": cluster.spec.model_copy(update={"addons": ()})})
    artifacts = CachedArtifacts(tmp_path / "home/cache", (overlay,), offline=False)
    assert not {artifact.component for artifact in artifacts.wanted(bare)} & {"web", "helm", "helm_darwin"}
