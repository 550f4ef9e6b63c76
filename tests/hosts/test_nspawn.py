"""The nspawn provider makes real machines, bounds them, finds them again and takes them away whole."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers import nspawn
from ohmykube.providers.base import Machine, MachineSpec, ProviderContext
from ohmykube.providers.nspawn import NspawnProvider, cgroups
from ohmykube.providers.nspawn.container import Container
from tests.hosts import machines as bare
from tests.hosts import traces
from tests.hosts.conftest import Machines
from tests.patience import soon

pytestmark = pytest.mark.hosts

_PROGRAM = Path(bare.__file__)


class Cluster:
    """Machines of a provider in a folder of the test's own; the base is that of all tests."""

    def __init__(self, folder: Path, name: str, *, offline: bool = False) -> None:
        self.directory = folder / "clusters" / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.names: list[str] = []
        ssh.generate_key(self.directory / "id_ed25519", name)
        self.provider = NspawnProvider(
            ProviderContext(
                cluster=name,
                directory=self.directory,
                home=bare.test_home(),
                identity_file=self.directory / "id_ed25519",
                known_hosts=self.directory / "known_hosts",
                offline=offline,
                reserved_networks=("10.74.0.0/17", "fd00::/64"),
            )
        )

    def up(self, *names: str, memory: int = 2**29) -> None:
        self.names += names
        self.provider.prepare()

        def one(name: str) -> None:
            self.provider.create(MachineSpec(name, "worker", "worker", cpu=1, memory=memory, disk=0))
            self.provider.start(name)
            self.wait(name)

        with ThreadPoolExecutor() as pool:
            list(pool.map(one, names))

    def seen(self, name: str) -> Machine:
        return next(machine for machine in self.provider.machines() if machine.name == name)

    def wait(self, name: str) -> None:
        target = self.seen(name).ssh
        assert target
        ssh.wait(target, timeout=60)

    def run(self, name: str, *argv: str) -> str:
        target = self.seen(name).ssh
        assert target
        return ssh.run(target, argv, timeout=60)

    def down(self) -> None:
        for machine in self.provider.machines():
            self.provider.delete(machine.name)
        self.provider.cleanup()

    def traces(self) -> list[str]:
        return traces.of(self.directory, self.names)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, "dev")
    yield cluster
    cluster.down()


def test_machines_are_alike_but_not_the_same(dev: Cluster) -> None:
    dev.up("dev-1", "dev-2", "dev-3")

    assert [(machine.name, machine.status) for machine in dev.provider.machines()] == [
        ("dev-1", "running"),
        ("dev-2", "running"),
        ("dev-3", "running"),
    ]
    for file in ("/etc/machine-id", "/etc/hostname", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert len({dev.run(name, "cat", file) for name in dev.names}) == 3
    assert dev.run("dev-1", "systemctl", "is-system-running", "--wait").strip() == "running"
    assert dev.run("dev-1", "sshd", "-T").count("passwordauthentication no") == 1
    dev.run("dev-1", "bash", "-c", f"exec 3<>/dev/tcp/{dev.seen('dev-2').address}/22")  # node to node
    assert dev.seen("dev-1").address.startswith("10.74.")
    assert int(dev.seen("dev-1").address.split(".")[2]) >= 128  # the reserved half is left alone
    assert dev.provider.address_pool().split("-")[0].endswith(".200")


def test_memory_is_limited(dev: Cluster) -> None:
    dev.up("dev-1", memory=256 * 2**20)

    with pytest.raises(OhmykubeError):
        dev.run("dev-1", "python3", "-c", "bytearray(b'x' * (300 << 20))")
    dev.run("dev-1", "python3", "-c", "bytearray(b'x' * (100 << 20))")
    assert dev.seen("dev-1").status == "running"


def test_cpu_is_limited(dev: Cluster) -> None:
    dev.up("dev-1")

    # Two that want all of a processor, for two seconds, share one.
    busy = (
        "import os, time; os.fork(); end = time.time() + 2\nwhile time.time() < end: pass\nprint(time.process_time())"
    )
    used = sum(float(line) for line in dev.run("dev-1", "python3", "-c", busy).split())
    assert used < 2.4


def test_stop_and_start_keep_what_a_machine_is(dev: Cluster) -> None:
    dev.up("dev-1")
    before = dev.seen("dev-1")
    dev.run("dev-1", "sh", "-c", "echo kept >/root/file; echo kept >/var/lib/containerd/file; sync")

    dev.provider.stop("dev-1")
    dev.provider.stop("dev-1")
    assert dev.seen("dev-1").status == "stopped"

    dev.provider.start("dev-1")
    dev.provider.start("dev-1")
    dev.wait("dev-1")
    assert dev.seen("dev-1") == before
    assert dev.run("dev-1", "cat", "/root/file", "/var/lib/containerd/file").split() == ["kept", "kept"]


def test_power_that_is_cut_comes_back_although_the_old_interface_is_there(
    dev: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nspawn, "_INTERFACE_TIMEOUT", 1)
    dev.up("dev-1")
    dev.run("dev-1", "sh", "-c", "echo kept >/root/file")

    dev.provider.cut_power("dev-1")
    dev.provider.cut_power("dev-1")
    assert dev.seen("dev-1").status == "stopped"

    # The kernel takes it away with the network namespace, which takes long where there are many.
    interface = Container(dev.directory / "machines/dev-1").interface
    subprocess.run(["ip", "link", "add", interface, "type", "bridge"], check=True)
    dev.provider.start("dev-1")
    dev.wait("dev-1")
    assert dev.run("dev-1", "cat", "/root/file") == "kept\n"


def test_a_machine_reboots_from_inside(dev: Cluster) -> None:
    dev.up("dev-1")
    boot = dev.run("dev-1", "cat", "/proc/sys/kernel/random/boot_id")

    with pytest.raises(OhmykubeError):
        dev.run("dev-1", "sh", "-c", "systemctl reboot; sleep 30")

    def booted() -> bool:
        with suppress(OhmykubeError):
            return dev.run("dev-1", "cat", "/proc/sys/kernel/random/boot_id") != boot
        return False

    assert soon(booted)


def test_nothing_is_left(dev: Cluster) -> None:
    dev.up("dev-1", "dev-2")
    assert {trace.split()[0] for trace in dev.traces()} == {"interface", "cgroup", "process", "table", "folder"}

    dev.down()
    dev.down()

    assert dev.traces() == []
    assert dev.provider.machines() == []


def test_a_cluster_whose_name_begins_like_anothers_is_not_touched(dev: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path, "dev-2", offline=True)
    try:
        dev.up("dev-1")
        other.up("dev-2-1")
        process = other.run("dev-2-1", "systemctl", "show", "ssh", "--property=MainPID")
        before = other.traces()

        dev.down()

        assert other.traces() == before
        assert other.run("dev-2-1", "systemctl", "show", "ssh", "--property=MainPID") == process
        assert "10.74.128.1" not in other.run("dev-2-1", "ip", "route")  # two networks
        assert not any(trace.startswith("table") for trace in before)  # offline: no way out
    finally:
        other.down()
    assert other.traces() == []


def test_frozen_processes_are_ended_too(dev: Cluster) -> None:
    dev.up("dev-1")
    freezers = [hierarchy for hierarchy in cgroups.hierarchies() if "freezer" in hierarchy.controllers]
    if not freezers:
        pytest.skip("no freezer of cgroup v1 here")
    dev.run(
        "dev-1",
        "sh",
        "-euc",
        "mkdir /sys/fs/cgroup/freezer/cold; sleep 600 >/dev/null 2>&1 & "
        "echo $! >/sys/fs/cgroup/freezer/cold/cgroup.procs; echo FROZEN >/sys/fs/cgroup/freezer/cold/freezer.state",
    )

    dev.down()

    assert dev.traces() == []


def test_a_machine_that_cannot_start_says_why(dev: Cluster) -> None:
    dev.up("dev-1")
    dev.provider.stop("dev-1")
    (dev.directory / "machines/dev-1/base").unlink()

    with pytest.raises(OhmykubeError, match="ended while it started") as error:
        dev.provider.start("dev-1")

    assert "overlay" in error.value.message
    assert dev.seen("dev-1").status == "stopped"


@pytest.mark.parametrize("after", [0.5, 0.8, 1.1, 1.4, 1.8])
def test_whoever_is_killed_while_making_or_removing_is_followed_by_one_who_finishes(after: float) -> None:
    name = "killed"
    directory = bare.test_home() / "clusters" / name
    names = [f"{name}-1", f"{name}-2"]
    try:
        _killed(after, "up", "--name", name, "--count", "2", "--inventory", "/dev/null")
        hosts = bare.up(name, 2)
        assert [host.name for host in hosts] == names

        _killed(after, "down", "--name", name)
    finally:
        bare.down(name)
    assert traces.of(directory, names) == []


def _killed(after: float, *arguments: str) -> None:
    """Run the command and kill it, without warning, after so many seconds."""
    process = subprocess.Popen([sys.executable, str(_PROGRAM), *arguments], stdout=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_fixture_gives_hosts_with_an_ordinary_user(machines: Machines) -> None:
    first, second = machines(2, user=True)

    assert first.address != second.address
    assert ssh.run(first.ssh, ["id", "-un"], timeout=30).strip() == bare.USER
    assert ssh.run(first.ssh, ["sudo", "-n", "id", "-un"], timeout=30).strip() == "root"
