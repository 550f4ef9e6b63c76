"""Whole clusters from the test bundle: a home that has all they need, and the command line in it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ohmykube.providers.nspawn import NspawnProvider, checks
from ohmykube.providers.nspawn.rootfs import Base
from tests.cluster import sites
from tests.cluster.clusters import Bundle, CommandLine, environment
from tests.conftest import BUNDLE
from tests.hosts import machines
from tests.hosts.machines import test_home


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return Bundle(BUNDLE)


@pytest.fixture(scope="session")
def ohmykube(bundle: Bundle) -> Iterator[CommandLine]:
    """The command line in a new home, with a cache that lasts: what is dear to make is made once a computer.

    Tests that run side by side have a cache each, since some of them empty it. Clusters that a test left are taken
    away at the end.
    """
    why_not = NspawnProvider.unusable()
    if why_not:
        pytest.skip(f"no real machines here: {why_not}")
    rootfs = test_home() / "cache/rootfs"
    Base(rootfs, checks.distribution("")).ensure()
    cache = test_home() / f"cache-{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "rootfs").is_symlink():
        (cache / "rootfs").symlink_to(rootfs)
    home = Path(tempfile.mkdtemp(prefix="home-", dir=test_home()))
    scratch = Path(tempfile.mkdtemp(prefix="omk"))  # its path is short: sockets are made in it
    (home / "cache").symlink_to(cache)
    command = CommandLine(home, environment(home, scratch))
    try:
        command.text("image", "add", *map(str, bundle.images))
        yield command
        left = [path.name for path in scratch.iterdir()]
        assert not left, "temporary files are left"
    finally:
        for folder in home.glob("clusters/*"):
            command.text("down", "--force", "--name", folder.name)
        shutil.rmtree(scratch)
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def baked(ohmykube: CommandLine, bundle: Bundle) -> Path:
    """A folder of machine images, apart from the cache: those who want bare machines find none there."""
    images, apart = ohmykube.home / "cache/machines", ohmykube.home / "baked"
    shutil.rmtree(images, ignore_errors=True)
    ohmykube.text("cache", "bake", "--provider", "nspawn", *bundle.flags)
    return images.rename(apart)


@pytest.fixture(scope="module")
def machine_image(ohmykube: CommandLine, baked: Path) -> Iterator[None]:
    """What makes a cluster in half the time, for tests of what comes after that."""
    images = ohmykube.home / "cache/machines"
    shutil.rmtree(images, ignore_errors=True)
    baked.rename(images)
    yield
    images.rename(baked)


@pytest.fixture
def site(ohmykube: CommandLine, tmp_path: Path) -> Iterator[sites.Site]:
    """ohmykube: where machines can be made at all."""
    name = f"st{os.getpid()}"
    try:
        hosts = machines.up(name, 2, cpu=2, memory="4GiB", user=True)
        for host in hosts:
            sites.sudo(host, sites.FOREIGN)
        yield sites.Site(name, hosts, [sites.footprint(host) for host in hosts], tmp_path)
    finally:
        machines.down(name)
