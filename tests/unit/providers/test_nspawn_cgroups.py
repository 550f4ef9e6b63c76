"""Where a machine's cgroups go and which limits they get, on folders that look like the kernel's."""

from pathlib import Path

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.nspawn import cgroups
from ohmykube.providers.nspawn.cgroups import Hierarchy, Limits

_V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/lib/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""
_V1_MEMBERSHIP = """\
9:name=systemd:/user.slice
4:memory:/jobs/one
1:cpu,cpuacct:/
0::/user.slice
"""


def test_v1_is_parsed_with_the_callers_folders_and_how_to_mount_again() -> None:
    found = cgroups.parse(_V1_MOUNTS, _V1_MEMBERSHIP)

    assert [(hierarchy.options, str(hierarchy.own)) for hierarchy in found] == [
        ("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
        ("memory", "/sys/fs/cgroup/memory/jobs/one"),
        ("none,name=systemd", "/sys/fs/cgroup/systemd/user.slice"),
        ("rw", "/sys/fs/cgroup/unified/user.slice"),
    ]
    assert cgroups.legacy(found)
    assert cgroups.places(found, "omk-1")[1] == Path("/sys/fs/cgroup/memory/jobs/one/omk-1")


def test_v2_alone_is_not_legacy() -> None:
    found = cgroups.parse(
        "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", "0::/user.slice/session-1.scope\n"
    )

    assert [str(hierarchy.own) for hierarchy in found] == ["/sys/fs/cgroup/user.slice/session-1.scope"]
    assert not cgroups.legacy(found)


@pytest.mark.parametrize(
    ("root", "path", "own"),
    [
        ("/docker/1", "/docker/1/sub", "/cg/memory/sub"),  # a container without a cgroup namespace
        ("/docker/1", "/elsewhere", "/cg/memory"),  # moved out of what the mount shows
    ],
)
def test_the_callers_folder_below_a_partial_mount(root: str, path: str, own: str) -> None:
    (found,) = cgroups.parse(f"35 31 0:32 {root} /cg/memory rw - cgroup cgroup rw,memory\n", f"4:memory:{path}\n")

    assert str(found.own) == own


def _files(folder: Path, **contents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_v1_limits_are_written_where_the_controller_has_them(tmp_path: Path) -> None:
    cpuset = _files(tmp_path / "cpuset", cpuset__cpus="0-3\n", cpuset__mems="0\n")
    _files(cpuset / "omk", cpuset__cpus="\n", cpuset__mems="\n")
    cpu = _files(tmp_path / "cpu/omk", cpu__cfs_quota_us="-1", cpu__cfs_period_us="0", cpu__shares="1024")
    memory = _files(tmp_path / "memory/omk", memory__limit_in_bytes="max", memory__memsw__limit_in_bytes="max")

    cgroups.make([cpuset / "omk", cpu, memory], Limits(cpu=2, memory=2**30))

    assert (cpuset / "omk/cpuset.cpus").read_text() == "0-3\n"
    assert (cpu / "cpu.cfs_quota_us").read_text() == "200000"
    assert (cpu / "cpu.shares").read_text() == "2048"
    assert (memory / "memory.limit_in_bytes").read_text() == str(2**30)
    assert (memory / "memory.memsw.limit_in_bytes").read_text() == str(2**30)
    assert not (memory / "cpu.cfs_quota_us").exists()


def test_v2_limits_forbid_swap(tmp_path: Path) -> None:
    group = _files(
        tmp_path / "omk",
        cgroup__subtree_control="",
        cpu__max="max 100000",
        memory__max="max",
        memory__swap__max="max",
        cpuset__cpus="",
    )

    cgroups.make([group], Limits(cpu=1, memory=2**30))

    assert (group / "cpu.max").read_text() == "100000 100000"
    assert (group / "memory.max").read_text() == str(2**30)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "cpuset.cpus").read_text() == ""  # empty means all on v2


def test_a_cgroup_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(OhmykubeError, match="absent/omk cannot be set up") as error:
        cgroups.make([tmp_path / "absent/omk"], Limits(cpu=1, memory=1))

    assert error.value.code == "nspawn.cgroup"


def _v2(mount: Path, own: Path) -> tuple[Hierarchy, ...]:
    return (Hierarchy(version=2, mount=mount, controllers=(), options="", own=own),)


def test_v2_takes_the_nearest_cgroup_that_hands_on_controllers(tmp_path: Path) -> None:
    everything = "cpu cpuset io memory pids"
    _files(tmp_path, cgroup__controllers=everything, cgroup__subtree_control=everything)
    slice_ = _files(tmp_path / "user.slice", cgroup__controllers=everything, cgroup__subtree_control=everything)
    scope = _files(slice_ / "session.scope", cgroup__controllers="memory pids", cgroup__subtree_control="")

    assert cgroups.places(_v2(tmp_path, scope), "omk-1") == [slice_ / "omk-1"]


def test_v2_without_any_is_an_error(tmp_path: Path) -> None:
    _files(tmp_path, cgroup__controllers="memory", cgroup__subtree_control="memory")

    with pytest.raises(OhmykubeError, match="can limit CPU and memory"):
        cgroups.places(_v2(tmp_path, tmp_path), "omk-1")


def test_processes_are_those_of_all_descendants(tmp_path: Path) -> None:
    _files(tmp_path / "omk", cgroup__procs="12\n0\n")
    _files(tmp_path / "omk/kubepods/pod", cgroup__procs="34\n")

    assert cgroups.processes([tmp_path / "omk", tmp_path / "gone"]) == {12, 34}


def test_remove_goes_bottom_up_and_is_idempotent(tmp_path: Path) -> None:
    (tmp_path / "omk/a/b").mkdir(parents=True)

    cgroups.remove([tmp_path / "omk"], timeout=1)
    cgroups.remove([tmp_path / "omk"], timeout=1)

    assert not (tmp_path / "omk").exists()


def test_remove_says_what_stays(tmp_path: Path) -> None:
    _files(tmp_path / "omk", busy="")  # a folder with a file cannot be removed, like a cgroup with a process

    with pytest.raises(OhmykubeError, match="cannot be removed"):
        cgroups.remove([tmp_path / "omk"], timeout=0.1)
