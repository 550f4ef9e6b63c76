"""Disks that Ceph gets, those that it does not, and those that are given back empty."""

from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, each
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import ceph
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import disks

from tests.unit.node.machine import Machine

GIB = 2**30
LABEL = b"bluestore block device\n0f6b0d4a-0000-4000-8000-000000000000\n"


class Disks(Machine):
    def disk(self, name: str, size: int = 20 * GIB, serial: str = "") -> Path:
        """A disk with nothing on it; the file has holes."""
        device, system = self.root / "dev" / name, self.root / "sys/class/block" / name
        system.mkdir(parents=True)
        device.parent.mkdir(exist_ok=True)
        with device.open("wb") as file:
            file.truncate(size)
        files = {"size": size // 512, "ro": 0, "dev": f"8:{len(list(device.parent.iterdir()))}", "serial": serial}
        for each_file, value in files.items():
            (system / each_file).write_text(f"{value}\n")
        return system

    def put(self, name: str, data: bytes, place: int = 0) -> None:
        with (self.root / "dev" / name).open("r+b") as file:
            file.seek(place)
            file.write(data)

    def at(self, name: str, place: int, size: int) -> bytes:
        with (self.root / "dev" / name).open("rb") as file:
            file.seek(place)
            return file.read(size)

    def take(self, *paths: str, memory: int = 4 * GIB) -> list[str]:
        changes = disks.take(self.host, paths, memory=memory)
        apply_all(changes)
        return [change.after for change in changes]

    def refused(self, *paths: str, memory: int = 0) -> list[OhmykubeError]:
        with pytest.raises(OhmykubeError) as caught:
            disks.take(self.host, paths, memory=memory)
        assert not disks.recorded(self.host)
        return each(caught.value)


@pytest.fixture
def machine(tmp_path: Path) -> Disks:
    made = Disks(tmp_path)
    made.write("/proc/meminfo", f"MemTotal: {int(3.8 * 2**20)} kB\n")
    made.write("/proc/self/mountinfo", "1 2 8:99 / / rw - ext4 /dev/sda1 rw\n")
    made.write("/proc/swaps", "Filename Type Size\n")
    return made


def test_an_empty_disk_is_taken_once_and_nothing_is_written_to_it(machine: Disks) -> None:
    machine.disk("vdb")
    assert machine.take("/dev/vdb") == ["/dev/vdb\n"]
    machine.put("vdb", LABEL)  # Ceph's own by now
    assert machine.take("/dev/vdb") == []
    machine.disk("vdc")
    assert machine.take("/dev/vdb", "/dev/vdc") == ["/dev/vdc\n"]
    assert [disk.path for disk in disks.recorded(machine.host)] == ["/dev/vdb", "/dev/vdc"]


def test_a_disk_may_be_named_by_a_link(machine: Disks) -> None:
    machine.disk("sdb", serial="S1")
    (machine.root / "dev/disk/by-id").mkdir(parents=True)
    (machine.root / "dev/disk/by-id/wwn-1").symlink_to("../../sdb")
    machine.take("/dev/disk/by-id/wwn-1")
    assert disks.recorded(machine.host) == [disks.Disk("/dev/disk/by-id/wwn-1", 20 * GIB, "S1")]


@pytest.mark.parametrize("place", [0, 4096, 2**20 - 1, 20 * GIB - 512])
def test_whatever_is_written_at_its_edges_is_somebodys(machine: Disks, place: int) -> None:
    machine.disk("sdb")
    machine.put("sdb", b"x", place)
    (problem,) = machine.refused("/dev/sdb")
    assert problem.code == "ceph.disk.used"
    assert "/dev/sdb has data on it" in problem.message
    assert "blkdiscard --zeroout /dev/sdb" in problem.hint


@pytest.mark.parametrize("place", [0, GIB, 10 * GIB])
def test_what_another_ceph_has_left_is_seen_in_every_place_where_it_keeps_its_label(machine: Disks, place: int) -> None:
    machine.disk("sdb")
    machine.put("sdb", LABEL, place)
    assert "has data of Ceph on it" in machine.refused("/dev/sdb")[0].message


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("/sys/class/block/sdb/sdb1/partition", "1", "has partitions"),
        ("/sys/class/block/sdb/partition", "1", "is a part of a disk"),
        ("/sys/class/block/sdb/holders/dm-0/dev", "", "is used by dm-0"),
        ("/sys/class/block/sdb/ro", "1", "cannot be written to"),
        ("/proc/self/mountinfo", "1 2 8:1 / /data rw - xfs /dev/sdb rw\n", "is mounted at /data"),
        ("/proc/swaps", "Filename Type\n/dev/sdb partition 1 0 -2\n", "is swapped to"),
    ],
)
def test_what_is_in_use_is_left_alone(machine: Disks, path: str, text: str, words: str) -> None:
    machine.disk("sdb")
    machine.write(path, text)
    assert f"/dev/sdb {words}" in machine.refused("/dev/sdb")[0].message


def test_everything_that_is_in_the_way_is_said_at_once(machine: Disks) -> None:
    machine.disk("sdb", size=4 * GIB)
    machine.write("/var/lib/rook/rook-ceph/x", "")
    said = [(problem.code, problem.message) for problem in machine.refused("/dev/sdb", "/dev/sdx", memory=6 * GIB)]
    assert said == [
        ("ceph.disk.small", "/dev/sdb has 4.0 GiB, and Ceph takes no disk below 5 GiB"),
        ("ceph.disk.missing", "there is no disk /dev/sdx"),
        ("ceph.memory", "it has 3.8 GiB of memory, and with Ceph it needs 6 GiB"),
        ("ceph.leftovers", "/var/lib/rook is left of another cluster of Ceph on this machine"),
    ]


def test_disks_that_ceph_got_are_given_back_empty_and_others_never(machine: Disks) -> None:
    for name, serial in (("vdb", ""), ("vdc", "A"), ("vdd", ""), ("vde", "")):
        machine.disk(name, serial=serial)
    machine.take("/dev/vdb", "/dev/vdc", "/dev/vdd")
    for name in ("vdb", "vdc", "vde"):
        for place in (0, GIB, 10 * GIB):
            machine.put(name, LABEL, place)
    machine.put("vdb", b"end", 20 * GIB - 3)
    machine.put("vdd", b"a file system of somebody's")  # who has taken it from the cluster meanwhile
    machine.write("/sys/class/block/vdc/serial", "B")  # after a reboot another one has this name
    assert disks.given(machine.host) == ["/dev/vdb"]
    disks.empty(machine.host)
    assert disks.given(machine.host) == []
    assert not any(machine.at("vdb", place, 4096).strip(b"\0") for place in (0, GIB, 10 * GIB, 20 * GIB - 4096))
    assert machine.at("vdc", 0, len(LABEL)) == LABEL
    assert machine.at("vde", GIB, len(LABEL)) == LABEL
    assert machine.at("vdd", 0, 6) == b"a file"
    assert disks.records(machine.host)
    disks.forget(machine.host)
    assert machine.take("/dev/vdb") == ["/dev/vdb\n"]


def test_volumes_of_ours_are_let_go_by_force(machine: Disks) -> None:
    machine.write("/sys/bus/rbd/devices/0/pool", "ceph-block\n")
    machine.write("/sys/bus/rbd/devices/1/pool", "theirs\n")
    machine.write("/sys/bus/rbd/remove_single_major", "")
    inside, theirs = "/var/lib/kubelet/pods/1/volumes/x", "/mnt/theirs"
    rows = [
        f"1 2 0:{number} / {point} rw shared:1 - ceph 10.0.0.1:/ rw" for number, point in enumerate((inside, theirs))
    ]
    machine.write("/proc/self/mountinfo", "\n".join(rows))
    assert ceph.volumes(machine.host, ["/var/lib/kubelet"]) == ["rbd0", inside]
    ceph.let_go(machine.host, ["/var/lib/kubelet"])
    assert machine.read("/sys/bus/rbd/remove_single_major") == "0 force"
    assert machine.calls == [f"umount --force --lazy -- {inside}"]


def test_machines_without_ceph_have_nothing_to_let_go(machine: Disks) -> None:
    assert ceph.volumes(machine.host, ["/var/lib/kubelet"]) == []
    assert disks.given(machine.host) == []
    assert disks.records(machine.host) == []
