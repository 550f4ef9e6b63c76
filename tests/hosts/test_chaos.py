"""Faults on real machines: they are there, they end by themselves whatever becomes of us, and nothing is left of them.

The machines are hosts of a cluster of the provider static, reached as an ordinary user with sudo.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.store.home import Home
from tests.chance import KILLS, chance
from tests.hosts import plays
from tests.patience import soon

pytestmark = pytest.mark.hosts

PLAY = """
- hosts: control_plane
  become: true
  gather_facts: false
  tasks:
    - ohmykube.cluster.node_fault: {state: "{{ state }}", fault: partition, peers: [192.0.2.7], seconds: 600}
"""
# Everything that a fault could have left: units, packet rules, queues, records, files.
_LOOK = """
systemctl list-units --all --no-legend 'ohmykube-chaos*'
iptables --table=mangle -S
ip6tables --table=mangle -S
tc qdisc show
find /run/ohmykube-chaos /var/lib/kubelet -type f ! -name lock 2>/dev/null || :
"""


@dataclass(frozen=True)
class Lab:
    """Two machines, and a home in which they are the hosts of the cluster `dev`."""

    site: plays.Site
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "OHMYKUBE_HOME": str(self.home), "OHMYKUBE_NAME": "dev"}

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "ohmykube", *words]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def data(self, *words: str) -> Any:
        done = self.verb(*words, "-o", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["data"]

    def refusal(self, *words: str) -> str:
        """The code of the one error."""
        done = self.verb(*words, "-o", "json")
        assert done.returncode == 1, done.stdout + done.stderr
        return str(json.loads(done.stdout)["errors"][0]["code"])

    def run(self, *argv: str) -> str:
        return self.site.run(*argv)

    def try_to(self, command: str) -> bool:
        """Whether a line of shell succeeds on the first machine."""
        done = ssh.execute(self.site.hosts[0].ssh, ["sudo", "bash", "-c", command], timeout=30)
        return done.returncode == 0

    def reaches(self) -> bool:
        """Whether the first machine gets an answer from the second."""
        return self.try_to(f"timeout 1 bash -c 'read -r -u 3 3<>/dev/tcp/{self.site.hosts[1].address}/22'")

    def reached(self) -> bool:
        """Whether the second machine gets one from the first."""
        command = f"timeout 1 bash -c 'read -r -u 3 3<>/dev/tcp/{self.site.hosts[0].address}/22'"
        return ssh.execute(self.site.hosts[1].ssh, ["bash", "-c", command], timeout=30).returncode == 0

    def look(self) -> str:
        return self.run("sh", "-c", _LOOK)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("chaos")
    with plays.site("chaos", folder, 2) as site:
        cluster = Home(folder / "home").cluster("dev")
        cluster.make()
        shutil.copy(site.hosts[0].ssh.known_hosts, cluster.known_hosts)
        hosts = [
            {"name": f"n{number}", "address": host.address, "role": role}
            for number, (host, role) in enumerate(zip(site.hosts, ("control-plane", "worker"), strict=True), start=1)
        ]
        target = site.hosts[0].ssh
        spec = {
            "kubernetesVersion": "v1.36.4",
            "provider": "static",
            "hosts": hosts,
            "network": {"loadBalancer": "none"},
            "ssh": {"user": target.user, "identityFile": str(target.identity_file), "port": 22},
        }
        cluster.write_spec(
            {"apiVersion": "ohmykube.dev/v1", "kind": "Cluster", "metadata": {"name": "dev"}, "spec": spec}
        )
        yield Lab(site, folder / "home")


@pytest.fixture(autouse=True)
def unchanged(lab: Lab) -> Iterator[None]:
    before = lab.look()
    yield
    lab.data("chaos", "heal")
    assert lab.look() == before


def test_a_partition_cuts_both_ways_but_not_us_and_ends_when_told(lab: Lab) -> None:
    assert lab.reaches()
    assert lab.reached()
    assert lab.data("chaos", "partition", "n1", "--for", "10m")["seconds"] == 600
    assert not lab.reaches()
    assert not lab.reached()
    (row,) = lab.data("chaos", "status")
    assert (row["node"], row["fault"]) == ("n1", "partition")
    assert 0 < row["seconds"] < 600
    (healed,) = lab.data("chaos", "heal")
    assert (healed["node"], healed["fault"]) == ("n1", "partition")
    assert lab.reaches()
    assert lab.reached()

    lab.data("chaos", "partition", "n1", "--from", "n2")
    assert not lab.reaches()
    lab.data("chaos", "heal")
    assert lab.reaches()


def test_a_partition_ends_by_itself(lab: Lab) -> None:
    begun = time.monotonic()
    lab.data("chaos", "partition", "n1", "--for", "6s")
    assert soon(lab.reaches)
    assert time.monotonic() - begun >= 6
    assert lab.reached()
    assert soon(lambda: lab.data("chaos", "status") == [])


def test_whoever_is_killed_the_node_heals(lab: Lab, tmp_path: Path) -> None:
    choose, before = chance("kills of chaos"), lab.look()
    for number in range(KILLS):
        seconds = 3 if number else 15  # the first is looked at while it lasts
        argv = [sys.executable, "-m", "ohmykube", "chaos", "partition", "n1", "--for", f"{seconds}s"]
        with (tmp_path / "log").open("w") as log:
            verb = subprocess.Popen(argv, env=lab.environment, stdout=log, stderr=log, start_new_session=True)
        if number:
            time.sleep(choose.uniform(0.5, 1.3))  # it takes a second, and begins to ask after half of that
        else:
            assert soon(lambda: not lab.reaches())
        with suppress(ProcessLookupError):
            os.killpg(verb.pid, signal.SIGKILL)
        verb.wait()
        time.sleep(1)  # what it had sent to the node goes on there
        assert soon(lambda: lab.reaches() and lab.look() == before)


def test_a_reboot_ends_it(lab: Lab) -> None:
    lab.data("chaos", "partition", "n1", "--for", "10m")
    boot = lab.run("cat", "/proc/sys/kernel/random/boot_id")
    ssh.execute(lab.site.hosts[0].ssh, ["sudo", "systemctl", "reboot"], timeout=30)

    def booted() -> bool:
        target = lab.site.hosts[0].ssh
        return lab.try_to("true") and ssh.run(target, ["cat", "/proc/sys/kernel/random/boot_id"], timeout=10) != boot

    assert soon(_brave(booted))
    assert lab.reaches()
    assert lab.data("chaos", "status") == []


def test_a_delay_is_there_or_refused_where_the_kernel_has_none(lab: Lab) -> None:
    delayed = ("chaos", "delay", "n1", "--by", "200ms", "--for", "10m")
    if not lab.try_to("unshare --net tc qdisc add dev lo root netem delay 1ms"):
        assert lab.refusal(*delayed) == "fault.kernel"
        return
    lab.data(*delayed)
    begun = time.monotonic()
    assert lab.reaches()
    assert time.monotonic() - begun > 0.2
    (row,) = lab.data("chaos", "status")
    assert row["fault"] == "delay"


def test_what_is_this_computers_is_refused(lab: Lab) -> None:
    lab.run("mkdir", "-p", "/var/lib/kubelet")
    assert lab.refusal("chaos", "fill-disk", "n1") == "fault.shared"
    assert lab.refusal("chaos", "fill-disk", "n1", "--path", "/") == "fault.shared"
    assert lab.refusal("chaos", "skew-clock", "n1") == "fault.shared"
    assert lab.refusal("chaos", "power-off", "n1") == "static.power"


def test_a_file_system_of_its_own_is_filled_to_the_last_byte(lab: Lab) -> None:
    lab.run("mkdir", "-p", "/mnt/small")
    lab.run("mount", "-t", "tmpfs", "-o", "size=16m", "none", "/mnt/small")
    try:
        lab.run("sh", "-c", "head -c 4096 /dev/zero >/mnt/small/before")
        fill = ("chaos", "fill-disk", "n1", "--path", "/mnt/small", "--for")
        lab.data(*fill, "10m")
        assert not lab.try_to("head -c 1 /dev/zero >/mnt/small/more")
        lab.run("rm", "/mnt/small/before")
        time.sleep(1.5)
        assert not lab.try_to("head -c 1 /dev/zero >/mnt/small/more")  # what is given back is taken, too
        lab.data("chaos", "heal")
        begun = time.monotonic()
        lab.data(*fill, "6s")
        assert soon(lambda: lab.try_to("head -c 8M /dev/zero >/mnt/small/more"))
        assert time.monotonic() - begun >= 6
        assert lab.run("ls", "-A", "/mnt/small") == "more\n"
    finally:
        lab.run("umount", "/mnt/small")
        lab.run("rmdir", "/mnt/small")


def test_a_playbook_begins_and_ends_one(lab: Lab) -> None:
    for flags, state, changed in (
        (["--check", "--diff"], "present", 1),
        ([], "absent", 0),
        ([], "present", 1),
        ([], "absent", 1),
        ([], "absent", 0),
    ):
        outcome = lab.site.play(PLAY, *flags, state=state)
        assert (outcome.changed, outcome.failed) == (changed, 0), outcome.output


def _brave(look: Callable[[], bool]) -> Callable[[], bool]:
    """A machine that does not answer has not booted yet."""

    def brave() -> bool:
        try:
            return look()
        except OhmykubeError:
            return False

    return brave
