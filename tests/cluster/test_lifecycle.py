"""Nodes come and go, machines are switched off and on: nothing that ran or was kept is lost."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ohmykube.providers.nspawn.container import Container
from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import PATIENCE, soon

pytestmark = pytest.mark.cluster

NAME = "life"
PLANE, WORKER = f"{NAME}-control-plane-1", f"{NAME}-worker-1"
IMAGE = "docker.io/library/busybox:1.37.0"


@dataclass
class Life:
    """The cluster, as a person has it."""

    ohmykube: CommandLine
    bundle: Bundle

    @property
    def folder(self) -> Path:
        return self.ohmykube.cluster(NAME)

    def __call__(self, verb: str, *words: str) -> Any:
        return self.ohmykube.data(verb, "--name", NAME, "--offline", *words)

    def error(self, verb: str, *words: str) -> dict[str, Any]:
        """The one error of a verb that fails."""
        done = self.ohmykube(verb, "--name", NAME, "--offline", *words, "-o", "json")
        answer = json.loads(done.stdout)
        assert answer["status"] == "error", done.stdout + done.stderr
        (error,) = answer["errors"]
        return dict(error)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return self.bundle.kubectl(self.folder / "kubeconfig", *words, stdin=stdin)

    def items(self, *words: str) -> list[dict[str, Any]]:
        return self.bundle.items(self.folder / "kubeconfig", *words)

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Those that are Ready."""
        return {
            node["metadata"]["name"].removeprefix(f"{NAME}-"): node
            for node in self.items("nodes")
            if any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
        }

    def running(self) -> dict[str, tuple[str, int]]:
        """Every pod by name: its identity and how often its containers were started anew."""
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(status["restartCount"] for status in pod["status"].get("containerStatuses", [])),
            )
            for pod in self.items("pods", "--all-namespaces")
        }

    def until(self, what: Callable[[], bool]) -> None:
        assert soon(what), self.kubectl("get", "nodes,pods", "-A", "-o", "wide")


@pytest.fixture(scope="module")
def life(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> Iterator[Life]:
    before = computer.look()
    made = Life(ohmykube, bundle)
    ohmykube.data("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *bundle.flags)
    yield made
    began = time.monotonic()
    ohmykube.text("down", "--name", NAME, "--force")
    print(f"down: {time.monotonic() - began:.1f} s")
    assert computer.left(before, ohmykube.cluster(NAME)) == []


def test_added_nodes_are_as_asked_for_and_the_others_left_alone(life: Life) -> None:
    before = life.running()
    marks = ("--label", "size=big", "--annotation", "example.org/a=b", "--taint", "only=big:NoSchedule")
    added = life("add", "--count", "2", "--group", "big", "--cpu", "2", "--memory", "3GiB", *marks)
    assert [node["name"] for node in added["nodes"]] == [f"{NAME}-big-1", f"{NAME}-big-2"]
    node = life.nodes()["big-2"]
    assert node["metadata"]["labels"]["size"] == "big"
    assert node["metadata"]["annotations"]["example.org/a"] == "b"
    assert {"key": "only", "value": "big", "effect": "NoSchedule"} in node["spec"]["taints"]
    assert {name: seen for name, seen in life.running().items() if name in before} == before
    # What is wished now is what is there.
    assert not life("up", "--catalogue", str(life.bundle.catalogue))["changed"]
    assert "other nodes" in life.error("add", "--group", "big", "--cpu", "1")["message"]


def test_a_node_that_does_not_become_ready_is_taken_away_again(life: Life, tmp_path: Path) -> None:
    before = life.running()
    log = tmp_path / "log"
    adding = life.ohmykube.start("add", "--name", NAME, "--offline", "-v", log=log)
    life.until(lambda: "Join the cluster" in log.read_text() or adding.poll() is not None)
    Container(life.folder / "machines" / f"{NAME}-worker-2").kill()
    assert adding.wait(PATIENCE) == 1, log.read_text()
    assert f"{NAME}-worker-2 was taken away again" in log.read_text()
    assert set(life.nodes()) == {"control-plane-1", "worker-1", "big-1", "big-2"}
    assert {machine.name for machine in (life.folder / "machines").iterdir() if machine.is_dir()} == {
        PLANE,
        WORKER,
        f"{NAME}-big-1",
        f"{NAME}-big-2",
    }
    assert {name: seen for name, seen in life.running().items() if name in before} == before


def test_what_holds_a_node_is_named_and_nothing_is_lost(life: Life) -> None:
    app, budget = _app(f"{NAME}-big-1"), {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}}
    guard = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "kept", "namespace": "default"},
        "spec": budget,
    }
    life.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*app, guard]}))
    life.kubectl("rollout", "status", "deployment/kept", "--timeout=120s")

    error = life.error("delete", f"{NAME}-big-1")
    assert error["code"] == "node.volumes"
    assert f"default/kept on {NAME}-big-1" in error["message"]
    life.kubectl("exec", "deployment/kept", "--", "sh", "-c", "echo precious > /data/kept")

    life.kubectl("apply", "-f", "-", stdin=json.dumps(_bare(f"{NAME}-big-2")))
    life.kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=60s")
    error = life.error("delete", f"{NAME}-big-2", "--timeout", "3")
    assert error["code"] == "node.not-drained"
    assert "default/bare (nothing would make it anew)" in error["message"]
    assert not life.nodes()["big-2"]["spec"].get("unschedulable")
    life.kubectl("delete", "pod", "bare", "--grace-period=1")


def test_a_deleted_node_is_gone_and_its_name_free(life: Life) -> None:
    began = time.monotonic()
    assert life("delete", f"{NAME}-big-2")["deleted"] == [f"{NAME}-big-2"]
    print(f"delete: {time.monotonic() - began:.1f} s")
    assert set(life.nodes()) == {"control-plane-1", "worker-1", "big-1"}
    assert not (life.folder / "machines" / f"{NAME}-big-2").exists()
    assert life("delete", f"{NAME}-big-2")["deleted"] == []
    assert life.error("delete", f"{NAME}-bgi-1")["code"] == "node.unknown"
    assert life.error("delete", PLANE)["code"] == "node.last"


def test_machines_are_switched_off_and_on(life: Life) -> None:
    life("stop", WORKER)
    assert life.error("start", f"{NAME}-worker-7")["code"] == "node.unknown"
    seen = {node["name"]: node["machine"] for node in life("status")["nodes"]}
    assert seen == {PLANE: "running", WORKER: "stopped", f"{NAME}-big-1": "running"}
    life("stop")
    assert [row["status"] for row in life.ohmykube.data("list") if row["name"] == NAME] == ["stopped"]
    life("start")
    _as_before(life)
    assert not life("up", "--catalogue", str(life.bundle.catalogue))["changed"]


def test_machines_that_boot_all_at_once_are_the_cluster_again(life: Life) -> None:
    """No verb is typed."""
    booted = {node: _uptime(life, node) for node in (PLANE, WORKER, f"{NAME}-big-1")}
    for node in booted:
        life.ohmykube("shell", "--name", NAME, node, "--", "systemctl", "reboot")
    life.until(lambda: all(_uptime(life, node) not in ("", before) for node, before in booted.items()))
    life.until(lambda: life.ohmykube("status", "--name", NAME, "-o", "json").stdout.count('"Ready"') == len(booted))
    _as_before(life)
    life.ohmykube.smoke(NAME)


def _as_before(life: Life) -> None:
    """The application runs on its node, and has what it kept."""
    life.kubectl("rollout", "status", "deployment/kept", "--timeout=120s")
    life.until(lambda: _kept(life) == "precious")
    node = life.nodes()["big-1"]
    assert node["metadata"]["labels"]["size"] == "big"
    assert {"key": "only", "value": "big", "effect": "NoSchedule"} in node["spec"]["taints"]


def _kept(life: Life) -> str:
    try:
        return life.kubectl("exec", "deployment/kept", "--", "cat", "/data/kept").strip()
    except AssertionError:
        return ""


def _uptime(life: Life, node: str) -> str:
    """What differs from one boot of a machine to the next; empty while it does not answer."""
    done = life.ohmykube("shell", "--name", NAME, node, "--", "systemctl", "show", "-p", "UserspaceTimestampMonotonic")
    return done.stdout.strip() if done.returncode == 0 else ""


def _app(node: str) -> list[dict[str, Any]]:
    """One pod with a volume, on this node."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Mi"}}}
    pod = {
        **_pod(node),
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}],
    }
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    labels = {"app": "kept"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    meta = {"name": "kept", "namespace": "default"}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
    ]


def _bare(node: str) -> dict[str, Any]:
    meta = {"name": "bare", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": _pod(node)}


def _pod(node: str) -> dict[str, Any]:
    container = {
        "name": "sleeper",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "trap exit TERM; sleep 100000 & wait"],
    }
    return {
        "containers": [container],
        "nodeSelector": {"kubernetes.io/hostname": node},
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 2,
    }
