"""What is nothing but images, in a cluster of several control planes: wanted, and never looked for among files."""

from pathlib import Path

import pytest

from ohmykube.artifacts import CachedArtifacts
from ohmykube.model import load
from ohmykube.model.document import parse
from ohmykube.model.spec import Cluster

VERSION = "v1.36.4"


def cluster(planes: int) -> Cluster:
    document = parse(f"spec: {{provider: fake, kubernetesVersion: {VERSION}, controlPlane: {{count: {planes}}}}}", "f")
    return load.build("dev", document=document, defaults={}, supported_versions=(VERSION,))


@pytest.fixture
def artifacts(tmp_path: Path) -> CachedArtifacts:
    return CachedArtifacts(tmp_path / "cache", (), offline=True)


def test_it_is_wanted_where_control_planes_share_an_address(artifacts: CachedArtifacts) -> None:
    alone, several = (artifacts.wanted(cluster(planes)) for planes in (1, 3))
    assert [artifact.component for artifact in several if artifact not in alone] == ["kube_vip"]


def test_it_is_missed_as_an_image_and_as_no_package(artifacts: CachedArtifacts) -> None:
    (error,) = artifacts.missing(cluster(3))
    named = [line.strip() for line in error.message.splitlines() if "vip" in line]
    assert [line.split(":")[0] for line in named] == ["image ghcr.io/kube-vip/kube-vip"]
    assert "vip" not in artifacts.missing(cluster(1))[0].message


def test_there_is_no_file_of_it_to_bring(artifacts: CachedArtifacts) -> None:
    said: list[str] = []
    assert artifacts.pull([artifacts.catalogue.artifact("kube_vip", "amd64")], said.append) == []
    assert said == [""]
