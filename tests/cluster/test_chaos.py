"""What chaos does to a cluster: a node that is cut off or without power is missed, and comes back by itself."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import soon

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


def test_a_node_that_is_cut_off_is_missed_until_it_is_healed(
    ohmykube: CommandLine, bundle: Bundle, cluster: Path
) -> None:
    ohmykube.data("chaos", "partition", WORKER, "--for", "10m", "--name", NAME)
    assert soon(lambda: _ready(bundle, cluster) != "True")
    (row,) = ohmykube.data("chaos", "status", "--name", NAME)
    assert (row["node"], row["fault"]) == (WORKER, "partition")
    ohmykube.data("chaos", "heal", "--name", NAME)
    assert soon(lambda: _ready(bundle, cluster) == "True")
    assert ohmykube.data("chaos", "status", "--name", NAME) == []


def test_a_machine_without_power_comes_back_although_the_verb_was_killed(
    ohmykube: CommandLine, cluster: Path, tmp_path: Path
) -> None:
    words = ("chaos", "power-off", WORKER, "--for", "30s", "--name", NAME)
    verb = ohmykube.start(*words, log=tmp_path / "log")
    assert soon(lambda: _machine(ohmykube) == "stopped")
    if verb.poll() is None:
        os.killpg(verb.pid, signal.SIGKILL)
    verb.wait()
    (row,) = ohmykube.data("chaos", "status", "--name", NAME)
    assert (row["node"], row["fault"]) == (WORKER, "power-off")
    assert soon(lambda: _machine(ohmykube) == "running")
    assert soon(lambda: ohmykube.data("status", "--name", NAME)["ready"])
    ohmykube.smoke(NAME)


def test_down_does_not_wait_for_the_end_of_a_fault_and_nothing_comes_after_it(
    ohmykube: CommandLine, cluster: Path
) -> None:
    ohmykube.data("chaos", "power-off", WORKER, "--for", "10m", "--name", NAME)
    ohmykube.text("down", "--force", "--name", NAME)
    assert soon(lambda: computer.processes(str(ohmykube.home)) == {})
    assert not cluster.exists()


def _ready(bundle: Bundle, cluster: Path) -> str:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return bundle.kubectl(cluster / "kubeconfig", "get", "node", WORKER, f"--output={path}").strip()


def _machine(ohmykube: CommandLine) -> str:
    (row,) = (row for row in ohmykube.data("status", "--name", NAME)["nodes"] if row["name"] == WORKER)
    return str(row["machine"])
