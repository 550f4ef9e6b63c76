"""Packages and images on a real host that is reached as an ordinary user with sudo."""

import hashlib
import io
import json
import os
import random
import signal
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from tests import distribution
from tests.hosts.plays import Site, site
from tests.unit.distribute.play import ARCH, Play, changes

pytestmark = pytest.mark.hosts

STATE = "/var/lib/ohmykube"
PACKAGES: dict[str, Any] = {"packages": [{"component": "one"}, {"component": "two"}]}
IMAGES: dict[str, Any] = {"images": ["reg.test/one:1", "reg.test/two:1"]}
ABSENT: dict[str, Any] = {"state": "absent"}
RECEIVER = "[s]ys.stdin.buffer.read"  # a pattern that is not in the command of whoever looks for it
NOISE = random.Random(1).randbytes(30_000_000)  # noqa: S311 - the same in each run
CONTAINERD = """
- hosts: all
  become: true
  gather_facts: false
  roles: [ohmykube.cluster.containerd]
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site("dist", tmp_path_factory.mktemp("distribute")) as made:
        yield made


@pytest.fixture(scope="module")
def cached(bare: Site) -> Play:
    """Packages of 30 and 90 MB that do not compress: time enough for a kill."""
    inventory = yaml.safe_load((bare.folder / "hosts.yml").read_text())["all"]
    play = Play(bare.folder, bare.folder / "home", Path("/"), inventory["hosts"][bare.hosts[0].name])
    play.catalogue(one=b"one" + NOISE, two=b"two" + NOISE + NOISE[::-1] + NOISE[1::2] + NOISE[::2])
    return play


@pytest.fixture
def play(bare: Site, cached: Play) -> Play:
    """With nothing on the host."""
    bare.run("rm", "-rf", STATE, "/usr/local/bin/one", "/usr/local/bin/two")
    return cached


def snapshot(host: Site) -> str:
    return host.run("find", "/usr/local", "/opt", "/var/lib", "-xdev", "-not", "-path", "/var/lib/systemd/*")


def signal_receiver(bare: Site, name: str) -> None:
    bare.run("pkill", f"-{name}", "-f", RECEIVER)


def halt_in_the_middle(bare: Site) -> None:
    """Stop the receiver when it has begun with a file: one command on the node, since a file takes a moment only."""
    begun = f"find {STATE} 2>/dev/null | grep -q staging/package/usr/local/bin/"
    script = f"until {begun}; do sleep 0.02; done; exec pkill -STOP -f '{RECEIVER}'"
    bare.run("timeout", "50", "sh", "-c", script)


def test_packages_come_stay_and_go(bare: Site, play: Play) -> None:
    before = snapshot(bare)
    check, first, second, absent, nothing = play.run(
        PACKAGES, PACKAGES, PACKAGES, ABSENT, ABSENT, keywords=[{"check_mode": True}]
    )
    assert changes(check) == [("one", True, False), ("two", True, False)]
    assert changes(first) == [("one", True, True), ("two", True, True)]
    assert changes(second) == [("one", False, False), ("two", False, False)]
    assert changes(absent) == [("one", True, False), ("two", True, False)]
    assert not nothing["changed"]
    assert snapshot(bare) == before


def test_only_what_is_damaged_comes_again(bare: Site, play: Play) -> None:
    play.run(PACKAGES)
    bare.run("chmod", "0700", "/usr/local/bin/two")
    (result,) = play.run(PACKAGES)
    assert changes(result) == [("one", False, False), ("two", True, True)]
    assert bare.run("stat", "--format=%a %U", "/usr/local/bin/two") == "755 root\n"


@pytest.mark.parametrize("where", ["controller", "node"])
def test_a_kill_in_the_middle_is_mended_by_the_next_run(bare: Site, play: Play, where: str) -> None:
    (_,) = play.run(PACKAGES, keywords=[{"check_mode": True}])
    process = play.start(PACKAGES)
    halt_in_the_middle(bare)
    if where == "controller":
        os.killpg(process.pid, signal.SIGKILL)
        signal_receiver(bare, "CONT")
    else:
        signal_receiver(bare, "KILL")
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert where == "controller" or "the connection broke while payloads were sent" in output
    (result,) = play.run(PACKAGES)
    assert not result["failed"]
    assert bare.run("find", STATE, "-name", "staging*") == ""
    assert not play.run(PACKAGES)[0]["changed"]


def test_a_full_disk_is_named(bare: Site, play: Play) -> None:
    bare.run("mkdir", "-p", STATE)
    bare.run("mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", STATE)
    try:
        (result,) = play.run(PACKAGES)
    finally:
        bare.run("umount", STATE)
    assert result["error"]["code"] == "node.disk-full"
    assert "free space" in result["error"]["hint"]
    assert bare.run("find", "/usr/local/bin", "-name", "one") == ""


def test_a_flipped_bit_is_noticed(bare: Site, play: Play) -> None:
    play.run(PACKAGES, keywords=[{"check_mode": True}])
    play.run(PACKAGES, ABSENT)
    archive = max((play.home / "cache" / "packages").glob("two-*.tar.zst"))
    with flipped(archive):
        (result,) = play.run(PACKAGES)
    assert result["error"]["code"] == "payload.corrupt"
    assert bare.run("find", "/usr/local/bin", "-type", "f") == "/usr/local/bin/one\n"


def test_without_sudo_it_says_what_is_missing(play: Play) -> None:
    plain = replace(play, variables={**play.variables, "ansible_become": False})
    (result,) = plain.run(PACKAGES)
    assert result["error"]["code"] == "node.failed"
    assert result["error"]["hint"] == "run the task with become: true"


def test_images_come_once_and_a_corrupt_archive_not_at_all(bare: Site, play: Play) -> None:
    try:
        packages = distribution.ensure()
    except distribution.Unavailable as error:
        pytest.skip(str(error))
    nowhere = play.run(IMAGES)  # before any image is cached
    assert nowhere[0]["error"]["code"] == "image.missing"
    cache = ImageCache(play.home / "cache" / "images")
    for name in ["one", "two"]:
        archive = bare.folder / f"{name}.tar"
        archive.write_bytes(docker_archive(f"reg.test/{name}:1", name.encode() + NOISE))
        cache.add(archive)
    (early,) = play.run(IMAGES)
    assert early["error"]["code"] == "node.ctr-missing"

    offline = {"containerd_catalogues": [str(packages.catalogue)], "containerd_offline": True}
    outcome = bare.play(CONTAINERD, **offline)
    assert outcome.failed == 0, outcome.output
    spoilt = cache.find("reg.test/two:1", ARCH)
    assert spoilt is not None
    with flipped(spoilt.path):
        (corrupt,) = play.run(IMAGES)
    assert corrupt["error"]["code"] == "payload.corrupt"
    assert "reg.test/two:1" not in listed(bare)

    first, second = play.run(IMAGES, IMAGES)
    assert first["changed"], first
    assert not second["changed"]
    assert "io.cri-containerd.pinned=pinned" in listed(bare)
    bare.run("ctr", "-n", "k8s.io", "images", "rm", "reg.test/one:1")
    again, last = play.run(IMAGES, IMAGES)
    assert sorted(changes(again)) == [("reg.test/one:1", True, True), ("reg.test/two:1", False, False)]
    assert not last["changed"]


def listed(host: Site) -> str:
    return host.run("ctr", "-n", "k8s.io", "images", "ls")


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """A file with one bit of its middle turned over, for a while."""
    right = path.read_bytes()
    wrong = bytearray(right)
    wrong[len(wrong) // 2] ^= 4
    path.write_bytes(wrong)
    try:
        yield
    finally:
        path.write_bytes(right)


def docker_archive(reference: str, content: bytes) -> bytes:
    """An image of one layer with one file."""
    layer = tar({"file": content})
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": ARCH,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": [f"{digest}/layer.tar"]}]
    return tar(
        {
            "manifest.json": json.dumps(manifest).encode(),
            "config.json": json.dumps(config).encode(),
            f"{digest}/layer.tar": layer,
        }
    )


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
