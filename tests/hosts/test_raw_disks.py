"""Raw disks as the kernel has them: a loop device in place of one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import disks

pytestmark = pytest.mark.hosts

GIB = 2**30
LABEL = b"bluestore block device\n"


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """12 GiB that take no room, so that Ceph's label has three places; the record is the test's own."""
    monkeypatch.setattr(disks, "RECORD", str(tmp_path / "ceph.json"))
    file = tmp_path / "disk"
    with file.open("wb") as made:
        made.truncate(12 * GIB)
    try:
        device = run("losetup", "--find", "--show", str(file))
    except (AssertionError, FileNotFoundError) as error:
        pytest.skip(f"no loop devices here: {error}")
    yield device
    run("losetup", "--detach", device)


def label(device: str) -> None:
    with Path(device).open("r+b") as file:
        for place in (0, GIB, 10 * GIB):
            file.seek(place)
            file.write(LABEL.ljust(4096, b"x"))


def test_an_empty_disk_is_taken_and_given_back_empty(disk: str) -> None:
    host = Host()
    changes = disks.take(host, [disk], memory=0)
    apply_all(changes)
    assert [(each.path, each.size) for each in disks.recorded(host)] == [(disk, 12 * GIB)]
    label(disk)
    assert disks.given(host) == [disk]
    disks.empty(host)
    disks.forget(host)
    assert disks.take(host, [disk], memory=0), "it is as good as new"


def test_what_somebody_uses_is_neither_taken_nor_emptied(disk: str, tmp_path: Path) -> None:
    host = Host()
    apply_all(disks.take(host, [disk], memory=0))
    run("mke2fs", "-q", "-t", "ext4", disk)
    assert disks.given(host) == []
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    run("mount", disk, str(mounted))
    try:
        disks.forget(host)
        with pytest.raises(OhmykubeError, match=f"{disk} is mounted at {mounted}"):
            disks.take(host, [disk], memory=0)
    finally:
        run("umount", str(mounted))
    with pytest.raises(OhmykubeError, match="has data on it"):
        disks.take(host, [disk], memory=0)
    label(disk)
    with pytest.raises(OhmykubeError, match="has data of Ceph on it"):
        disks.take(host, [disk], memory=0)
