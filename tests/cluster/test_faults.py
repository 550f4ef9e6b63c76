"""Machines that die, lose their network or run full while `up` works: it says so in time, and again it finishes.

    OHMYKUBE_TEST_FAULTS=all pytest tests/cluster/test_faults.py -s

takes every kind at every moment on each node, which are 42 tests; without it, two of them.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.filler import fill

from ohmykube.providers.nspawn.container import Container
from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "unlucky"
# With short limits at first, and a kubelet that forgets soon that its disk was full.
WISH = f"""
apiVersion: ohmykube.dev/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  provider: nspawn
  workers: [{{count: 1}}]
  kubeadm: {{config: ./kubeadm.yaml}}
"""
LIMITS = "  vars: {kubeadm_timeout: 60, verify_timeout: 100, metallb_timeout: 60}\n"
KUBELET = (
    "{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, evictionPressureTransitionPeriod: 2s}"
)
NODES = (f"{NAME}-control-plane-1", f"{NAME}-worker-1")
FAULTS = ("dies", "is cut off", "is full")
# The first words of what `up -v` tells when it comes there.
MOMENTS = (
    "machines",
    "ssh",
    "Push the packages",
    "Make the cluster",
    "Join the cluster",
    "Apply network",
    "Wait until",
)
_DISK = 3 << 30  # bytes of a machine whose disk is to run full
# What is tried where nobody asks for more: one of each kind that a machine can recover from within a minute.
_ALWAYS = (("dies", "Join the cluster", NODES[1]), ("is cut off", "Push the packages", NODES[0]))
CASES = tuple(product(FAULTS, MOMENTS, NODES)) if os.environ.get("OHMYKUBE_TEST_FAULTS") else _ALWAYS
_LIMIT = 240  # seconds: more than a phase waits for anything


@dataclass
class Victim:
    """A machine, and what is done to it from outside.

    disk: an image of a disk that its folder lies on, where it is to run full.
    """

    folder: Path
    disk: Path | None = None
    container: Container = field(init=False)

    def __post_init__(self) -> None:
        self.container = Container(self.folder)
        if self.disk:
            with self.disk.open("wb") as file:
                file.truncate(_DISK)
            _run("mkfs.ext4", "-q", str(self.disk))
            self.folder.mkdir(parents=True)
            _run("mount", "-o", "loop", str(self.disk), str(self.folder))

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def is_there(self) -> bool:
        """Whether it has begun, and has its network."""
        return bool(self.container.leader()) and Path("/sys/class/net", self.container.interface).exists()

    def suffer(self, fault: str) -> None:
        if fault == "dies":
            self.container.kill()
        elif fault == "is cut off":
            _run("ip", "link", "set", self.container.interface, "down")
        else:
            with self.ballast.open("wb") as file:
                fill(file.fileno())

    def heal(self, fault: str) -> None:
        """Whoever died is started by the next `up`."""
        if fault == "is cut off" and self.is_there():
            _run("ip", "link", "set", self.container.interface, "up")
        self.ballast.unlink(missing_ok=True)

    def end(self) -> None:
        if self.disk:
            _run("umount", str(self.folder))
            self.disk.unlink()


@pytest.fixture(autouse=True)
def nothing_left(ohmykube: CommandLine, machine_image: None) -> Iterator[None]:
    before = computer.look()
    yield
    assert computer.left(before, ohmykube.cluster(NAME)) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case).replace(" ", "-"))
def test_a_fault_is_told_in_time_and_the_next_up_finishes(
    ohmykube: CommandLine, bundle: Bundle, tmp_path: Path, case: tuple[str, str, str]
) -> None:
    (tmp_path / "dev.yaml").write_text(WISH + LIMITS)
    (tmp_path / "kubeadm.yaml").write_text(KUBELET)
    up = ("up", "--file", str(tmp_path / "dev.yaml"), *bundle.flags)
    fault, moment, node = case
    disk = tmp_path / "disk" if fault == "is full" else None
    victim = Victim(ohmykube.cluster(NAME) / "machines" / node, disk)
    try:
        begun = ohmykube.start(*up, "-o", "json", "--progress", "json", log=tmp_path / "log")
        _meet(begun, victim, (fault, moment), tmp_path / "log")
        victim.heal(fault)
        (tmp_path / "dev.yaml").write_text(WISH)
        assert ohmykube.data(*up)["nodes"] == list(NODES)
        seen = ohmykube.data("status", "--name", NAME)
        assert seen["ready"], seen
    finally:
        if disk:
            _kept_until_it_can_go(ohmykube, victim)
        ohmykube.text("down", "--name", NAME, "--force")


def _meet(begun: "subprocess.Popen[bytes]", victim: Victim, what: tuple[str, str], log: Path) -> None:
    """An `up` that meets with the fault, and what it says of that. It may be so far that it needs nothing any more."""
    fault, moment = what
    while not (_told(log, moment) and victim.is_there()) and begun.poll() is None:
        time.sleep(0.02)
    assert _told(log, moment), log.read_text()
    victim.suffer(fault)
    suffered = time.monotonic()
    code = begun.wait(_LIMIT)
    took = time.monotonic() - suffered
    lines = log.read_text().splitlines()
    print(f"{victim.folder.name} {fault} at {moment!r}: exit code {code} after {took:.1f} s")
    if code == 0:
        return
    errors = json.loads("\n".join(line for line in lines if not line.startswith('{"')))["errors"]
    print(json.dumps(errors, indent=1)[:2000])
    (phase,) = {json.loads(line)["phase"] for line in lines if line.startswith('{"') and '"fail"' in line}
    assert phase
    assert any(victim.folder.name in error["message"] for error in errors), errors
    if phase == "Kubernetes":
        assert all(Path(error["context"]["log"]).is_dir() for error in errors)


def _told(log: Path, moment: str) -> bool:
    for line in log.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # half a line
        if isinstance(event, dict) and "phase" in event:
            words = event["text"] if event["kind"] == "step" else event["phase"]
            if words.startswith(moment):
                return True
    return False


def _kept_until_it_can_go(ohmykube: CommandLine, victim: Victim) -> None:
    """What cannot be deleted stays on record, and the verb that failed finishes when it can."""
    try:
        done = ohmykube("down", "--name", NAME, "--force")
        assert done.returncode == 3, done.stdout + done.stderr
        assert f"{victim.folder.name} " in done.stderr
        assert [row["name"] for row in ohmykube.data("list")] == [NAME]
    finally:
        victim.end()


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
