"""The provider against the real limactl and a machine that boots: emulated where this computer has no KVM.

OHMYKUBE_TEST_LIMACTL       a limactl; default: the one on the PATH
OHMYKUBE_TEST_LIMA_IMAGE    a disk image with cloud-init and openssh-server that a BIOS can boot
"""

import os
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec, ProviderContext, Role, SshTarget
from ohmykube.providers.lima import LimaProvider, host

LIMACTL = os.environ.get("OHMYKUBE_TEST_LIMACTL") or shutil.which("limactl")
IMAGE = os.environ.get("OHMYKUBE_TEST_LIMA_IMAGE")
GIB = 2**30

pytestmark = [
    pytest.mark.skipif(LIMACTL is None, reason="no limactl: set OHMYKUBE_TEST_LIMACTL"),
    pytest.mark.skipif(IMAGE is None, reason="no machine image: set OHMYKUBE_TEST_LIMA_IMAGE"),
    pytest.mark.skipif(os.geteuid() == 0, reason="limactl refuses to run as root"),
]


class Make(Protocol):
    def __call__(self, name: str, image: Path | None = None) -> LimaProvider:
        """The provider of a cluster. image: what its machines begin with, as `capture` filled it."""
        ...


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Providers of clusters in one home, and nothing of any of them left afterwards."""
    monkeypatch.setenv("PATH", f"{Path(str(LIMACTL)).parent}:{os.environ['PATH']}")
    if host.kvm_problem():
        arch = platform.machine()
        machine = "q35,vmport=off" if arch == "x86_64" else "virt"
        emulate = f"qemu-system-{arch} -machine {machine} -accel tcg,thread=multi,tb-size=128 -cpu max"
        monkeypatch.setenv(f"QEMU_SYSTEM_{arch.upper()}", emulate)
        monkeypatch.setenv("LIMA_USERNET_RESOLVE_IP_ADDRESS_TIMEOUT", "20")  # minutes
    home = Path(tempfile.mkdtemp(prefix="omk-", dir="/tmp"))  # short: socket paths are limited
    template = home / "template.yaml"
    template.write_text(
        f"images: [{{location: {IMAGE}, arch: {platform.machine()}}}]\nfirmware: {{legacyBIOS: true}}\n"
    )
    made: list[LimaProvider] = []

    def make(name: str, image: Path | None = None) -> LimaProvider:
        directory = home / "clusters" / name
        directory.mkdir(parents=True)
        key, known_hosts = directory / "key", directory / "known_hosts"
        ssh.generate_key(key, name)
        context = ProviderContext(name, directory, home, key, known_hosts, str(template), machine_image=lambda: image)
        made.append(LimaProvider(context))
        return made[-1]

    yield make
    for provider in made:
        for machine in provider.machines():
            provider.delete(machine.name)
        provider.cleanup()
    assert not [path.name for path in (home / "lima").iterdir() if not path.name.startswith((".", "_"))]
    shutil.rmtree(home)


def spec(name: str, *, role: Role = "worker", disks: tuple[int, ...] = ()) -> MachineSpec:
    return MachineSpec(name, role, role, cpu=2, memory=GIB, disk=4 * GIB, disks=disks)


def ask(target: SshTarget | None, *command: str) -> str:
    """Its answer; an emulated machine on a busy computer may take several attempts."""
    assert target is not None
    deadline = time.monotonic() + 180
    while True:
        try:
            return ssh.run(target, command, timeout=60).strip()
        except OhmykubeError as error:
            if error.code != "ssh.unreachable" or time.monotonic() > deadline:
                raise
            time.sleep(1)


def answers(port: int, *, within: float) -> bool:
    """Whether a web server is reached through the port in so many seconds; an emulated machine takes some to begin."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if connection.recv(100).startswith(b"HTTP/1.0 200"):
                return True
        time.sleep(1)
    return False


def test_a_machine_from_its_making_to_its_end(cluster: Make) -> None:
    dev, other = cluster("dev"), cluster("dev-2")
    machine = spec("dev-control-plane-1", role="control-plane", disks=(GIB,))
    assert dev.preflight([machine]) == []
    for provider, wanted in [(dev, machine), (other, spec("dev-2-worker-1"))]:
        provider.prepare()
        provider.create(wanted)
        provider.create(wanted)  # again: it is kept
    assert [seen.status for seen in dev.machines()] == ["stopped"]

    with pytest.raises(OhmykubeError) as taken:
        dev.create(spec("dev-2-worker-1"))
    assert taken.value.code == "lima.name-taken"

    dev.start(machine.name)
    [seen] = dev.machines()
    assert (seen.name, seen.status) == (machine.name, "running")
    assert ask(seen.ssh, "hostname") == machine.name
    assert ask(seen.ssh, "sudo", "-n", "id", "-u") == "0"
    assert seen.address in ask(seen.ssh, "hostname", "-I").split()
    assert ask(seen.ssh, "lsblk", "-bno", "SIZE,FSTYPE", "/dev/vdb") == str(GIB)  # unformatted
    assert dev.address_pool().split(".")[:3] == seen.address.split(".")[:3]
    serve = "setsid python3 -m http.server 6443 >/dev/null 2>&1 </dev/null &"
    ask(seen.ssh, "sh", "-c", serve)
    assert answers(int(seen.api.removeprefix("127.0.0.1:")), within=120)
    dev.start(machine.name)  # again: it runs

    dev.stop(machine.name)
    dev.stop(machine.name)
    assert [seen.status for seen in dev.machines()] == ["stopped"]

    begin = time.monotonic()
    dev.start(machine.name)
    [again] = dev.machines()
    assert again.address == seen.address
    assert ask(again.ssh, "hostname") == machine.name
    print(f"second start: {time.monotonic() - begin:.0f} s")

    other.delete(machine.name)  # not its own
    dev.delete("dev-2-worker-1")
    assert [seen.name for seen in dev.machines()] == [machine.name]
    dev.delete(machine.name)
    dev.delete(machine.name)
    dev.cleanup()
    assert dev.machines() == []
    assert [seen.name for seen in other.machines()] == ["dev-2-worker-1"]


def test_a_machine_begins_with_the_disk_of_another(cluster: Make, tmp_path: Path) -> None:
    builder = cluster("bake")
    builder.prepare()
    builder.create(spec("bake-control-plane-1"))
    builder.start("bake-control-plane-1")
    [seen] = builder.machines()
    ask(seen.ssh, "sudo", "-n", "sh", "-c", "echo prepared >/opt/prepared")
    identity = ask(seen.ssh, "cat", "/etc/machine-id")
    builder.capture("bake-control-plane-1", tmp_path)
    builder.delete("bake-control-plane-1")

    dev = cluster("dev", tmp_path)
    dev.prepare()
    dev.create(spec("dev-worker-1"))
    dev.start("dev-worker-1")
    [made] = dev.machines()
    assert ask(made.ssh, "cat", "/opt/prepared") == "prepared"
    assert ask(made.ssh, "hostname") == "dev-worker-1"
    assert ask(made.ssh, "cat", "/etc/machine-id") not in ("", identity)
    other = seen.ssh.identity_file.with_suffix(".pub").read_text().split()[1]
    assert other not in ask(made.ssh, "cat", ".ssh/authorized_keys")
