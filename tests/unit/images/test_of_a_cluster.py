"""The images of a whole cluster, out of a real registry into the cache, as `up` and `cache pull` want them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ohmykube.artifacts import CachedArtifacts, architecture
from ohmykube.errors import OhmykubeError
from ohmykube.images import registry as module
from ohmykube.images.pull import Puller, Repository
from ohmykube.model import load
from ohmykube.model.spec import AddonWish, Cluster
from tests.unit.images.registry import Registry

VERSION = "v1.36.4"
DEFAULTS = {("spec", "provider"): "static", ("spec", "kubernetesVersion"): VERSION}
GONE = "127.0.0.1:1/gone"


def steps(_: str) -> None: ...


@pytest.fixture
def cluster() -> Cluster:
    given = (load.Given(("spec", "network", "loadBalancer"), "none", "the test"),)
    hosts = load.Given(("spec", "hosts"), [{"name": "cp", "address": "192.0.2.1", "role": "control-plane"}], "the test")
    return load.build("dev", document=None, given=(*given, hosts), defaults=DEFAULTS, supported_versions=(VERSION,))


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CachedArtifacts]:
    """With a catalogue in which kubeadm runs these images, and nothing else any. Registries may lack TLS."""
    real = module.Registry
    monkeypatch.setattr(module, "Registry", lambda repository, **_: real(repository, insecure=True))

    def make(*images: str, offline: bool = False) -> CachedArtifacts:
        versions = {VERSION: {architecture(): {"images": list(images)}}}
        nothing = {"versions": {"v99.0.0": {"any": {"images": []}}}}
        overlay = tmp_path / "overlay.yml"
        components = {"kubeadm": {"versions": versions}, "flannel": nothing, "local_path": nothing}
        overlay.write_text(yaml.safe_dump({"components": components}))
        return CachedArtifacts(tmp_path / "cache", (overlay,), offline)

    return make


def test_what_can_be_had_is_pulled_once(
    registry: Registry, artifacts: Callable[..., CachedArtifacts], cluster: Cluster
) -> None:
    registry.push("whole", {architecture(): b"x"}, "v1")
    good, bad = f"{registry.address}/whole:v1", f"{registry.address}/whole:v2"
    some = artifacts(good, bad)
    assert not some.images_complete(cluster)
    new, errors = some.fetch_images(cluster, steps)
    assert (new, [(error.code, error.context["image"]) for error in errors]) == (1, [("registry.not-found", bad)])
    assert some.fetch_images(cluster, steps)[0] == 0

    whole = artifacts(good)
    assert whole.images_complete(cluster)
    ((image, new_now),) = whole.ensure_images(cluster, steps).images
    assert (image.reference, new_now) == (good, False)
    assert artifacts(good, bad, offline=True).images_complete(cluster)  # nothing is left that could be done


def test_a_list_that_nobody_knows_is_told(artifacts: Callable[..., CachedArtifacts], cluster: Cluster) -> None:
    unknown = artifacts()
    assert not unknown.images_complete(cluster)
    assert [error.code for error in unknown.fetch_images(cluster, steps)[1]] == ["catalogue.no-images"]


def test_a_registry_that_cannot_be_reached_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def connect(repository: str) -> Repository:
        asked.append(repository)
        raise OhmykubeError("registry.unreachable", f"{repository.partition('/')[0]} cannot be reached: no route.")

    names = [f"{GONE}:v1", f"{GONE}:v2", "127.0.0.1:2/other:v1"]
    pulled = Puller(tmp_path / "images", connect).pull(names, "amd64", steps)
    assert asked == [GONE, "127.0.0.1:2/other"]
    assert [error.context["image"] for error in pulled.errors] == names


def test_add_ons_are_fetched_with_the_rest(artifacts: Callable[..., CachedArtifacts], cluster: Cluster) -> None:
    own = {
        "addon.yml": "images: [own:v1]",
        "pod.yml": "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {image: b:v1}}",
    }
    wishes = (AddonWish(name="metrics-server"), AddonWish(name="own", files=own))
    wish = cluster.model_copy(update={"spec": cluster.spec.model_copy(update={"addons": wishes})})
    some = artifacts("kube:v1", offline=True)
    (error,) = some.missing(wish)
    assert "package metrics_server v0.9.0 (any)" in error.message
    for image in ("registry.k8s.io/metrics-server/metrics-server:v0.9.0", "own:v1", "b:v1"):
        assert f"image {image}" in error.message
    assert "metrics" not in some.missing(cluster)[0].message
