"""A cluster of one machine does all that a larger one does: its control plane takes the workloads."""

import json
import signal
from pathlib import Path

import pytest

from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import PATIENCE, soon

pytestmark = pytest.mark.cluster

NAME = "one"


def test_a_cluster_without_workers_works(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    up = ("up", "--name", NAME, "--provider", "nspawn", "--workers", "0", *bundle.flags)
    try:
        assert len(ohmykube.data(*up)["nodes"]) == 1
        ohmykube.smoke(NAME)
        assert not ohmykube.data(*up)["changed"]
        _status_tells_all(ohmykube)
        _status_is_watched(ohmykube, tmp_path / "watched")
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def _status_tells_all(ohmykube: CommandLine) -> None:
    ohmykube.data("status", "--name", NAME)  # the node keeps the code from here on
    seen = ohmykube.data("status", "--name", NAME)
    (node,) = seen["nodes"]
    assert (seen["ready"], seen["problem"], node["node"], node["machine"]) == (True, "", "Ready", "running")
    assert 0.5 < node["cpu"]["requested"] <= node["cpu"]["allocatable"]
    assert 0 < node["memory"]["requested"] < node["memory"]["allocatable"]
    assert node["cpu"]["used"] is None  # there is no metrics-server
    assert node["pods"]["running"] >= 8
    assert {"flannel", "metallb", "local-path", "coredns", "kube-proxy"} == {each["name"] for each in seen["addons"]}
    assert all(each["available"] for each in seen["addons"]), seen["addons"]
    assert seen["endpoints"]["api"].endswith(":6443")
    assert Path(seen["endpoints"]["kubeconfig"]).exists()
    assert 300 < seen["certificate"]["days"] < 366


def _status_is_watched(ohmykube: CommandLine, log: Path) -> None:
    process = ohmykube.start("status", "--name", NAME, "--watch", "0.5", "-o", "json", log=log)
    soon(lambda: log.read_text().count("\n") >= 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 0
    assert [json.loads(line)["data"]["ready"] for line in log.read_text().splitlines()][:3] == [True] * 3
