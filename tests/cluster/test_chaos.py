"""What chaos does to a cluster: a node that is cut off or without power is missed, and comes back by itself."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "fragile"
WORKER = f"{NAME}-worker-1"
# It would wait for 40 s until it misses a node.
_IMPATIENT = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controllerManager:
  extraArgs: [{name: node-monitor-grace-period, value: 16s}, {name: node-monitor-period, value: 1s}]
"""
_NOTICED = 20  # seconds after which it must
_BACK = 40  # seconds from the end of a fault until the node is ready


@pytest.fixture(scope="module")
def cluster(
    ohmykube: CommandLine, bundle: Bundle, machine_image: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder of a cluster of two nodes."""
    config = tmp_path_factory.mktemp("chaos") / "kubeadm.yaml"
    config.write_text(_IMPATIENT)
    flags = ("--provider", "nspawn", "--workers", "1", "--kubeadm-config", str(config), *bundle.flags)
    ohmykube.text("up", "--name", NAME, *flags)
    folder = ohmykube.cluster(NAME)
    yield folder
    if folder.exists():
        ohmykube.text("down", "--force", "--name", NAME)


def test_a_node_that_is_cut_off_is_missed_and_comes_back_by_itself(
    ohmykube: CommandLine, bundle: Bundle, cluster: Path
) -> None:
    ohmykube.data("chaos", "partition", WORKER, "--for", f"{_NOTICED + 2}s", "--name", NAME)
    assert _soon(lambda: _ready(bundle, cluster) != "True", _NOTICED)
    (row,) = ohmykube.data("chaos", "status", "--name", NAME)
    assert (row["node"], row["fault"]) == (WORKER, "partition")
    assert _soon(lambda: _ready(bundle, cluster) == "True", 60 + _BACK)
    assert ohmykube.data("chaos", "status", "--name", NAME) == []


def test_a_machine_without_power_comes_back_although_the_verb_was_killed(
    ohmykube: CommandLine, cluster: Path, tmp_path: Path
) -> None:
    words = ("chaos", "power-off", WORKER, "--for", "15s", "--name", NAME)
    verb = ohmykube.start(*words, log=tmp_path / "log")
    assert _soon(lambda: _machine(ohmykube) == "stopped", 20)
    if verb.poll() is None:
        os.killpg(verb.pid, signal.SIGKILL)
    verb.wait()
    (row,) = ohmykube.data("chaos", "status", "--name", NAME)
    assert (row["node"], row["fault"]) == (WORKER, "power-off")
    assert _soon(lambda: _machine(ohmykube) == "running", 30)
    assert _soon(lambda: ohmykube.data("status", "--name", NAME)["ready"], _BACK)
    ohmykube.smoke(NAME)


def test_down_does_not_wait_for_the_end_of_a_fault_and_nothing_comes_after_it(
    ohmykube: CommandLine, cluster: Path
) -> None:
    ohmykube.data("chaos", "power-off", WORKER, "--for", "4s", "--name", NAME)
    ohmykube.text("down", "--force", "--name", NAME)
    assert _soon(lambda: computer.processes(str(ohmykube.home)) == {}, 3)
    time.sleep(4)
    assert not cluster.exists()


def _ready(bundle: Bundle, cluster: Path) -> str:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return bundle.kubectl(cluster / "kubeconfig", "get", "node", WORKER, f"--output={path}").strip()


def _machine(ohmykube: CommandLine) -> str:
    (row,) = (row for row in ohmykube.data("status", "--name", NAME)["nodes"] if row["name"] == WORKER)
    return str(row["machine"])


def _soon(look: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return found
