"""The parts of the lima provider that need no machine."""

import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec
from ohmykube.providers.lima import locks, network, ports, processes, template, tool
from tests.patience import PATIENCE

MACHINE = MachineSpec("dev-control-plane-1", "control-plane", "control-plane", cpu=2, memory=4 * 2**30, disk=20 * 2**30)
RECIPE = template.Recipe(
    cluster="dev",
    arch="x86_64",
    network="omk-1",
    authorized_key="ssh-ed25519 AAAA it's dev\n",
    host_key="-----BEGIN OPENSSH PRIVATE KEY-----\nbase64\n-----END OPENSSH PRIVATE KEY-----\n",
    host_public_key="ssh-ed25519 BBBB",
    image=Path("/cache/ubuntu.img"),
    disks=("omk-1.dev-control-plane-1.1",),
    api_port=20001,
)


def test_the_template_is_plain_and_carries_its_cluster() -> None:
    made = yaml.safe_load(template.render(MACHINE, RECIPE))
    assert made["plain"] is True
    assert made["containerd"] == {"system": False, "user": False}
    assert made["env"]["OHMYKUBE_CLUSTER"] == "dev"
    assert (made["cpus"], made["memory"], made["disk"]) == (2, str(4 * 2**30), str(20 * 2**30))
    assert made["images"] == [{"location": "/cache/ubuntu.img", "arch": "x86_64"}]
    assert made["networks"] == [{"lima": "omk-1"}]
    assert made["additionalDisks"] == [{"name": "omk-1.dev-control-plane-1.1", "format": False}]
    assert made["portForwards"] == [{"guestPort": 6443, "hostPort": 20001, "static": True}]
    assert not {"mounts", "base"} & set(made)


def test_on_a_mac_the_default_route_stays_on_the_clusters_network() -> None:
    made = yaml.safe_load(template.render(MACHINE, replace(RECIPE, vz=True)))
    assert made["vmType"] == "vz"
    assert made["networks"] == [{"lima": "omk-1"}, {"vzNAT": True, "interface": "lima0", "metric": 300}]


def test_texts_of_several_lines_are_literal_blocks() -> None:
    """limactl writes its formatter's marks into such a text when it is in quotes."""
    text = template.render(MACHINE, RECIPE)
    assert "#!/bin/sh" in text
    assert "'#!/bin/sh" not in text
    files = {entry.get("path"): entry for entry in yaml.safe_load(text)["provision"]}
    assert files["/etc/ssh/ssh_host_ed25519_key"]["content"] == RECIPE.host_key
    assert files["/etc/ssh/ssh_host_ed25519_key"]["permissions"] == "600"
    assert files["/etc/hostname"]["content"] == "dev-control-plane-1\n"


def test_the_script_admits_the_clusters_key_once(tmp_path: Path) -> None:
    script = yaml.safe_load(template.render(MACHINE, RECIPE))["provision"][-1]["script"]
    (tmp_path / ".ssh").mkdir()
    keys = tmp_path / ".ssh" / "authorized_keys"
    keys.write_text("ssh-ed25519 CCCC lima\n")
    for tool_name in ("hostname", "systemctl"):
        (tmp_path / tool_name).write_text(f'#!/bin/sh\necho {tool_name} "$@" >>{tmp_path}/log\n')
        (tmp_path / tool_name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    for _ in range(2):
        subprocess.run(["sh"], input=script.replace("{{.Home}}", str(tmp_path)), text=True, check=True, env=environment)
    assert keys.read_text() == "ssh-ed25519 CCCC lima\nssh-ed25519 AAAA it's dev\n"
    assert "systemctl try-reload-or-restart ssh.service" in (tmp_path / "log").read_text()


def test_the_subnet_overlaps_nothing() -> None:
    assert network.free_subnet([IPv4Network("0.0.0.0/0")]) == IPv4Network("192.168.107.0/24")
    taken = [IPv4Network("192.168.96.0/20"), IPv4Network("192.168.112.1/32")]
    assert network.free_subnet(taken) == IPv4Network("192.168.113.0/24")
    assert network.free_subnet([IPv4Network("192.168.0.0/16")]) == IPv4Network("10.177.0.0/24")
    with pytest.raises(OhmykubeError) as failed:
        network.free_subnet([IPv4Network("192.168.0.0/16"), IPv4Network("10.0.0.0/8")])
    assert failed.value.code == "lima.no-subnet"


def test_routes_of_linux() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert network.linux_routes(table) == [IPv4Network("0.0.0.0/0"), IPv4Network("10.0.2.0/24")]
    if sys.platform == "linux":
        assert isinstance(network.host_routes(), list)


def test_routes_of_macos() -> None:
    table = """Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
127                127.0.0.1          UCS                   lo0
10.8/16            link#14            UCS                 utun4
192.168.1          link#11            UCS                   en0      !
192.168.1.1/32     link#11            UCS                   en0      !
224.0.0/4          link#11            UmCS                  en0      !
"""
    found = [str(route) for route in network.bsd_routes(table)]
    assert found == ["127.0.0.0/8", "10.8.0.0/16", "192.168.1.0/24", "192.168.1.1/32", "224.0.0.0/4"]


def test_network_names_are_short_and_do_not_begin_alike() -> None:
    names = [network.network_name(cluster) for cluster in ("dev", "dev-2", "x" * 40)]
    assert all(len(name) == 12 for name in names)
    assert len(set(names)) == 3


def test_ports_are_not_given_twice() -> None:
    first = ports.free_port("dev-control-plane-1", ())
    assert ports.free_port("dev-control-plane-1", ()) == first
    assert ports.free_port("dev-control-plane-1", {first}) != first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert ports.free_port("dev-control-plane-1", ()) != first


def test_the_lock_is_shared_or_alone_and_bounded(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    both = locks.hold(lock, shared=True), locks.hold(lock, shared=True)
    with both[0], both[1], pytest.raises(OhmykubeError) as refused, locks.hold(lock, timeout=0.1):
        pass
    assert refused.value.code == "lima.locked"


def test_pid_files_of_strangers_and_of_the_dead_are_removed(tmp_path: Path) -> None:
    lives = "import time; print(flush=True); time.sleep(1000)"
    own = subprocess.Popen([sys.executable, "-c", lives, f"{tmp_path}/"], stdout=subprocess.PIPE)
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        own.stdout.readline()  # only now its command line is sure to be there: Popen returns a moment before
        for name, content in {"ha": own.pid, "qemu": stranger.pid, "old": 2**22 + 1, "odd": ""}.items():
            (tmp_path / f"{name}.pid").write_text(f"{content}\n")
        (tmp_path / "ha.sock").touch()
        processes.clear_stale(tmp_path)
        assert [path.name for path in sorted(tmp_path.iterdir())] == ["ha.pid", "ha.sock"]
        own.kill()
        own.wait()
        processes.clear_stale(tmp_path)
        assert list(tmp_path.iterdir()) == []
        assert stranger.poll() is None
    finally:
        for process in (own, stranger):
            process.kill()
            process.wait()


def test_a_process_that_does_not_listen_is_ended_by_force(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(1000)"
    deaf = subprocess.Popen([sys.executable, "-c", code, f"{tmp_path}/"], stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    deaf.stdout.readline()
    (tmp_path / "x.pid").write_text(str(deaf.pid))
    processes.end(tmp_path / "x.pid", timeout=0.2)
    assert deaf.wait(timeout=PATIENCE) == -signal.SIGKILL


def release(path: Path, version: str = "2.2.0") -> Path:
    """An archive as Lima releases it."""
    with tarfile.open(path, "w:gz") as archive:
        script = f"#!/bin/sh\necho limactl version {version}\n".encode()
        entry = tarfile.TarInfo("./bin/limactl")
        entry.size, entry.mode = len(script), 0o755
        archive.addfile(entry, io.BytesIO(script))
    return path


def installed(folder: Path, version: str) -> None:
    folder.mkdir()
    (folder / "limactl").write_text(f"#!/bin/sh\necho limactl version {version}\n")
    (folder / "limactl").chmod(0o755)


@pytest.mark.parametrize("version", ["2.0.0", "2.10.3", "183a60d"])
def test_the_users_own_limactl_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert tool.require(tmp_path, None) == tmp_path / "bin" / "limactl"


def test_an_old_or_missing_limactl_is_replaced_by_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path / "bin", "1.2.3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(OhmykubeError) as refused:
        tool.require(tmp_path, None)
    assert "older than 2.0" in refused.value.message
    asked = []

    def fetch(component: str, arch: str) -> Path:
        asked.append((component, arch))
        return release(tmp_path / "lima-2.2.0-Linux-x86_64.tar.gz")

    found = tool.require(tmp_path, fetch)
    assert found == tmp_path / "tools" / "lima-2.2.0-Linux-x86_64" / "bin" / "limactl"
    assert os.access(found, os.X_OK)
    assert tool.require(tmp_path, fetch) == found
    assert len(asked) == 1
    assert tool.unpack(release(tmp_path / "lima-2.10.0.tar.gz"), tmp_path / "tools") == tool.find(tmp_path)


def test_what_is_no_release_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "lima-2.2.0.tar.gz"
    broken.write_bytes(release(tmp_path / "whole").read_bytes()[:100])
    with pytest.raises(OhmykubeError) as failed:
        tool.unpack(broken, tmp_path / "tools")
    assert failed.value.code == "lima.archive"
    assert list((tmp_path / "tools").iterdir()) == []
