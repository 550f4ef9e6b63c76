"""What the nspawn provider does to the computer itself: tried in a network namespace, and on folders of the test."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.hosts

_ROOT = Path(__file__).parents[2]
_SUBNET = "10.74.5.0/24"


def _python(program: str, *arguments: str, namespaces: Sequence[str] = ("--net", "--mount")) -> str:
    """Run a program of ours in namespaces of its own, and give back what it prints."""
    done = subprocess.run(
        ["unshare", *namespaces, sys.executable, "-c", program, *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_forwarding_ends_with_the_last_cluster() -> None:
    told = _python(f"""
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from ohmykube.providers.nspawn import firewall
forward = Path("/proc/sys/net/ipv4/ip_forward")
forward.write_text("0")
for step in (firewall.open_way_out, firewall.open_way_out):
    step("omk-a", IPv4Network("{_SUBNET}"))
firewall.open_way_out("omk-b", IPv4Network("10.74.6.0/24"))
firewall.close_way_out("omk-a")
print(forward.read_text().strip())
firewall.close_way_out("omk-b")
firewall.close_way_out("omk-b")
print(forward.read_text().strip(), subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout)
""")
    assert told.split() == ["1", "0"]


def test_forwarding_that_was_on_stays_on() -> None:
    told = _python(f"""
from ipaddress import IPv4Network
from pathlib import Path
from ohmykube.providers.nspawn import firewall
forward = Path("/proc/sys/net/ipv4/ip_forward")
forward.write_text("1")
firewall.open_way_out("omk-a", IPv4Network("{_SUBNET}"))
firewall.close_way_out("omk-a")
print(forward.read_text().strip())
""")
    assert told.split() == ["1"]


@pytest.mark.skipif(shutil.which("iptables") is None, reason="iptables is not installed")
def test_where_iptables_drops_what_is_forwarded_the_bridge_is_let_through_and_forgotten() -> None:
    told = _python("""
import subprocess
from ohmykube.providers.nspawn import firewall
def rules():
    return subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True).stdout.splitlines()
firewall.let_through("omk-a")
print(len(rules()))  # nothing drops: nothing to do
subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)
for bridge in ("omk-a", "omk-a", "omk-ab"):
    firewall.let_through(bridge)
print(len(rules()))
firewall.forget("omk-a")
print(len(rules()), all("omk-ab" in rule for rule in rules()[1:]))
""")
    assert told.split() == ["1", "5", "3", "True"]


_NETWORK = """
import sys
from pathlib import Path
from ohmykube.providers.nspawn.network import Network
network = Network(Path(sys.argv[1]), reserved=("10.244.0.0/16",), nat=False)
print(network.prepare().subnet)
"""


def test_clusters_that_start_at_once_get_networks_of_their_own(tmp_path: Path) -> None:
    starter = f"""
import subprocess, sys
started = [
    subprocess.Popen([sys.executable, "-c", {_NETWORK!r}, folder], stdout=subprocess.PIPE, text=True)
    for folder in sys.argv[1:]
]
print(*(process.communicate()[0].strip() for process in started))
"""
    # Also in another home, whose records cannot be seen.
    folders = [str(tmp_path / home / "clusters" / name / "machines") for home in "ab" for name in ("dev", "dev-2")]

    subnets = _python(starter, *folders).split()

    assert len(set(subnets)) == 4
    plans = [json.loads((Path(folder) / "network.json").read_text())["subnet"] for folder in folders]
    assert plans == subnets


def test_addresses_are_stable_and_free_again_after_release(tmp_path: Path) -> None:
    told = _python(
        """
import sys
from pathlib import Path
from ohmykube.providers.nspawn.network import Network
network = Network(Path(sys.argv[1]) / "machines", reserved=(), nat=False)
network.prepare()
print(network.allocate("a"), network.allocate("b"), network.allocate("a"))
network.release("a")
network.release("a")
print(network.allocate("c"), network.address_pool())
network.remove()
network.remove()
print(network.plan(), Path("/sys/class/net", network.bridge).exists())
""",
        str(tmp_path),
    ).split()

    assert told[:3] == ["10.74.0.2", "10.74.0.3", "10.74.0.2"]
    assert told[3] == "10.74.0.2"
    assert told[4] in ("10.74.0.200-10.74.0.250", "10.74.0.200-10.74.0.250,fd6f:6d6b:a:4a00::c8-fd6f:6d6b:a:4a00::fa")
    assert told[5:] == ["None", "False"]


def test_a_machine_boots_reboots_and_stops_on_cgroup_v2_alone() -> None:
    """In a mount namespace that shows no other hierarchy; its controllers may all be in use by v1."""
    told = _python(
        """
import subprocess, time
subprocess.run(["umount", "--recursive", "/sys/fs/cgroup"], check=True)
subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"], check=True)
from ohmykube import ssh
from ohmykube.providers.nspawn import cgroups
from tests.hosts import machines
cgroups._V2_REQUIRED = frozenset()
try:
    (host,) = machines.up("vtwo", 1)
    groups = ssh.run(host.ssh, ["cat", "/proc/1/cgroup"], timeout=30).splitlines()
    print(groups[-1])
    ssh.run(host.ssh, ["systemctl", "reboot"], timeout=30)
    booted = host.ssh.known_hosts.parent / "machines/vtwo-1/console.log"
    while booted.read_text().count("Reached target multi-user.target") < 2:
        time.sleep(0.2)
    ssh.wait(host.ssh, timeout=120)
    provider = machines.provider("vtwo")
    print(provider.machines()[0].status)
    provider.stop("vtwo-1")
    print(provider.machines()[0].status)
finally:
    machines.down("vtwo")
""",
        namespaces=("--mount",),
    )
    assert told.split() == ["0::/init.scope", "running", "stopped"]


_BASE = """
import os, sys
from pathlib import Path
from ohmykube.providers.nspawn.apt_sources import Distribution, Source
from ohmykube.providers.nspawn.rootfs import Base
os.environ["PATH"] = f"{sys.argv[1]}:{os.environ['PATH']}"
source = Source("http://mirror.invalid", "bookworm", ("main",))
print(Base(Path(sys.argv[2]), Distribution("debian-12", "bookworm", (source,))).ensure())
"""
# Stands for mmdebstrap: $8 is the target. It counts its runs, and sleeps where it is told to.
_MMDEBSTRAP = """#!/bin/sh
set -eu
here=$(dirname "$0")
echo run >>"$here/runs"
for target; do case $target in */.making) break ;; esac; done
mkdir -p "$target/etc/systemd/system" "$target/var/log"
[ ! -e "$here/slow" ] || sleep 30
[ ! -e "$here/broken" ] || { echo E: no such mirror; exit 1; }
echo whole >"$target/etc/debian_version"
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mmdebstrap").write_text(_MMDEBSTRAP)
    (folder / "mmdebstrap").chmod(0o755)
    return folder


def test_a_base_whose_making_was_killed_is_made_anew(tools: Path, tmp_path: Path) -> None:
    (tools / "slow").touch()
    victim = subprocess.Popen([sys.executable, "-c", _BASE, str(tools), str(tmp_path / "rootfs")])
    while not (tmp_path / "rootfs/.making/var/log").exists():
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    (tools / "slow").unlink()

    made = _python(_BASE, str(tools), str(tmp_path / "rootfs"), namespaces=()).strip()

    assert (Path(made) / "etc/debian_version").read_text() == "whole\n"
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in left


def test_two_clusters_make_one_base(tools: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _BASE, str(tools), str(tmp_path / "rootfs")]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    assert len({process.communicate(timeout=60)[0] for process in both}) == 1
    assert (tools / "runs").read_text() == "run\n"


def test_a_base_that_cannot_be_made_shows_the_tools_words_and_leaves_none(tools: Path, tmp_path: Path) -> None:
    (tools / "broken").touch()

    done = subprocess.run(
        [sys.executable, "-c", _BASE, str(tools), str(tmp_path / "rootfs")], capture_output=True, text=True, check=False
    )

    assert "E: no such mirror" in done.stderr
    assert not list((tmp_path / "rootfs").glob("debian-12-*"))
