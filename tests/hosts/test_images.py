"""Images with digests on a real containerd, from a registry that the host cannot reach."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from ohmykube.images.pull import Puller
from ohmykube.images.registry import Registry as Client
from tests import distribution
from tests.hosts.plays import Site, site
from tests.unit.cache.archives import read
from tests.unit.distribute.play import ARCH, Play
from tests.unit.images.registry import PROGRAM, Registry, serve

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed"),
]

CONTAINERD = """
- hosts: all
  become: true
  gather_facts: false
  roles: [ohmykube.cluster.containerd]
"""
OTHER = {"amd64": "arm64", "arm64": "amd64"}[ARCH]


@pytest.fixture(scope="module")
def packages() -> distribution.Distribution:
    try:
        return distribution.ensure()
    except distribution.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def host(packages: distribution.Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site("img", tmp_path_factory.mktemp("images")) as made:
        offline = {"containerd_catalogues": [str(packages.catalogue)], "containerd_offline": True}
        outcome = made.play(CONTAINERD, **offline)
        assert outcome.failed == 0, outcome.output
        yield made


@pytest.fixture(scope="module")
def play(host: Site) -> Play:
    inventory = yaml.safe_load((host.folder / "hosts.yml").read_text())["all"]
    made = Play(host.folder, host.folder / "home", Path("/"), inventory["hosts"][host.hosts[0].name])
    made.catalogue()
    return made


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serve(tmp_path_factory.mktemp("registry")) as running:
        yield running


def busybox(packages: distribution.Distribution, folder: Path) -> bytes:
    """Its layer."""
    cache = ImageCache(folder / "busybox")
    return read(cache.add(packages.image)[0].path, "layer.tar")


def pull(play: Play, reference: str, arch: str = ARCH) -> None:
    puller = Puller(play.home / "cache" / "images", lambda repository: Client(repository, insecure=True))
    assert puller.pull([reference], arch, lambda _: None).errors == []


def pinned(host: Site) -> dict[str, bool]:
    lines = host.run("ctr", "-n", "k8s.io", "images", "ls").splitlines()[1:]
    return {line.split()[0]: "io.cri-containerd.pinned=pinned" in line for line in lines}


def test_a_digest_leads_to_an_image_that_runs(
    host: Site, play: Play, registry: Registry, packages: distribution.Distribution, tmp_path: Path
) -> None:
    content = {ARCH: busybox(packages, tmp_path), OTHER: b"not this one"}
    digest = registry.push("box", content, "v1", files=False)
    tag, by_digest = f"{registry.address}/box:v1", f"{registry.address}/box@{digest}"
    pull(play, tag)

    (first,) = play.run({"images": [tag]})
    second, third = play.run({"images": [f"{tag}@{digest}"]}, {"images": [by_digest]})

    assert first["changed"], first
    assert not second["changed"], json.dumps(second)
    assert not third["changed"]
    assert pinned(host)[tag]
    assert pinned(host)[by_digest]
    said = host.run("ctr", "-n", "k8s.io", "run", "--rm", by_digest, "one", "/bin/echo", "I run")
    assert said == "I run\n"


def test_a_tag_that_moves_unpins_what_it_was(host: Site, play: Play, registry: Registry) -> None:
    tag = f"{registry.address}/moving:v1"
    digests = []
    for content in (b"old", b"new"):
        digests.append(registry.push("moving", {ARCH: content}, "v1"))
        pull(play, tag)
        (result,) = play.run({"images": [tag]})
        assert result["changed"], result
    seen = pinned(host)
    assert [seen[f"{registry.address}/moving@{digest}"] for digest in digests] == [False, True]
    assert seen[tag]


def test_another_architecture_is_refused_or_meant(host: Site, play: Play, registry: Registry) -> None:
    tag = f"{registry.address}/foreign:v1"
    registry.push_single("foreign", OTHER, b"x", "v1")
    pull(play, tag, OTHER)
    mine, checked, meant = play.run(
        {"images": [tag]}, {"images": [tag], "arch": OTHER, "check_arch": True}, {"images": [tag], "arch": OTHER}
    )
    assert (mine["error"]["code"], checked["error"]["code"]) == ("image.arch", "image.arch")
    assert meant["changed"], meant
    assert tag in pinned(host)
