"""A machine image: made once, and the machines that begin with it are each their own and one cluster."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "golden"
WHO = ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub", "/etc/hostname")


@pytest.fixture(autouse=True)
def without_images(ohmykube: CommandLine) -> Iterator[None]:
    """The cache is that of all tests; the others begin with bare machines."""
    images = ohmykube.home / "cache/machines"
    shutil.rmtree(images, ignore_errors=True)
    yield
    shutil.rmtree(images, ignore_errors=True)


def test_machines_begin_with_a_baked_image(ohmykube: CommandLine, bundle: Bundle) -> None:
    flags = ("--provider", "nspawn", *bundle.flags)
    before, builder = computer.look(), _builder(ohmykube, bundle)
    baked = ohmykube.data("cache", "bake", *flags)
    assert baked["changed"]
    assert not ohmykube.data("cache", "bake", *flags)["changed"]
    assert ohmykube.data("list") == []  # the machine that it was made of is gone
    assert computer.left(before, builder) == []

    try:
        made = ohmykube.data("up", "--name", NAME, "--workers", "1", *flags)
        assert len({ohmykube.text("shell", "--name", NAME, node, "--", "cat", *WHO) for node in made["nodes"]}) == len(
            made["nodes"]
        )
        for node in made["nodes"]:
            link = ohmykube.cluster(NAME) / "machines" / node / "image"
            assert str(link.resolve()).startswith(baked["path"])
        ohmykube.smoke(NAME)

        # One more worker, while the others go on.
        more = ohmykube.data("up", "--name", NAME, "--workers", "2", *flags)
        assert len(more["nodes"]) == len(made["nodes"]) + 1
        assert ohmykube.data("status", "--name", NAME)["ready"]
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
    assert computer.left(before, ohmykube.cluster(NAME)) == []


def test_a_stale_image_is_baked_anew_when_the_cluster_is_ready(ohmykube: CommandLine, bundle: Bundle) -> None:
    flags = ("--provider", "nspawn", *bundle.flags)
    before, builder = computer.look(), _builder(ohmykube, bundle)
    baked = Path(ohmykube.data("cache", "bake", *flags)["path"])
    about = json.loads((baked / "about.json").read_text())
    (baked / "about.json").write_text(json.dumps({**about, "inputs": "0" * 64}))  # of something that is no more
    stale = baked.rename(baked.with_name(f"{about['name']}-{'0' * 12}"))

    try:
        done = ohmykube("up", "--name", NAME, "--workers", "0", *flags)
        assert done.returncode == 0, done.stderr
        assert f"The machine image {about['name']} is stale: it is baked anew." in done.stderr
        assert f"Cluster {NAME} is ready" in done.stdout
        assert baked.is_dir()
        assert not stale.exists()
        assert [cluster["name"] for cluster in ohmykube.data("list")] == [NAME]
        assert ohmykube.data("status", "--name", NAME)["ready"]
        assert not ohmykube.data("cache", "bake", *flags)["changed"]
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
    assert computer.left(before, builder, ohmykube.cluster(NAME)) == []


def _builder(ohmykube: CommandLine, bundle: Bundle) -> Path:
    """The folder of the cluster that an image is made of."""
    return ohmykube.cluster(f"bake-{bundle.version.replace('.', '-')}")
