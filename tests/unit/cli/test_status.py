"""status as scripts and people meet it, once; again and again: test_watch.py."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import click
import pytest
import yaml

from ohmykube.cli import status_text
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine
from tests.patience import soon
from tests.unit.cli import status_world
from tests.unit.cli.status_world import GIB, HANGS, ONE, PLANES, THREE, TWO, WORKER, node, target, workload
from tests.unit.node.test_health_looks import certificate

FIELDS = {"name", "provider", "kubernetesVersion", "ready", "problem", "nodes"}  # of old, and those of each node:
ROW = {"name", "role", "machine", "address", "detail", "node", "version"}


@pytest.fixture
def world(home):
    found = status_world.world()
    with status_world.installed(found):
        yield found
    found.released.set()


@pytest.fixture
def shown(run):
    def show(*args):
        code, out, err = run("status", "--name", "dev", "-o", "json", *args)
        assert code == 0, err
        return json.loads(out)["data"]

    return show


def rows(data):
    return {row["name"]: row for row in data["nodes"]}


def access(path, ends):
    """A kubeconfig as `up` leaves it."""
    inside = base64.b64encode(certificate(ends).encode()).decode()
    config = {
        "clusters": [{"name": "dev", "cluster": {"server": "https://10.0.0.254:6443"}}],
        "users": [{"name": "dev", "user": {"client-certificate-data": inside}}],
    }
    path.write_text(yaml.safe_dump(config))


def test_all_of_a_cluster_that_is_well(world, shown, run):
    access(world.folder.kubeconfig, datetime.now(UTC) + timedelta(days=100.5))
    used = {"cpu": 0.25, "memory": 512.0 * 2**20}
    world.said[ONE]["nodes"][0]["used"] = used
    world.said[TWO] = world.said[THREE] = OhmykubeError("ssh.unreachable", "gone")
    data = shown()
    assert world.asked == [ONE]
    assert (data["ready"], data["problem"]) == (True, "")
    assert set(data) > FIELDS
    assert all(set(row) > ROW for row in data["nodes"])
    first, last = rows(data)[ONE], rows(data)[WORKER]
    assert (first["node"], first["machine"], first["version"]) == ("Ready", "running", "v1.36.4")
    assert first["cpu"] == {"allocatable": 2.0, "requested": 0.95, "used": 0.25}
    assert first["memory"] == {"allocatable": int(3.8 * GIB), "requested": int(0.3 * GIB), "used": 512 * 2**20}
    assert (last["cpu"]["used"], last["pods"]) == (None, {"allocatable": 110, "running": 8})
    assert [addon["name"] for addon in data["addons"]] == ["flannel", "metallb", "local-path", "coredns", "kube-proxy"]
    assert all(addon["available"] for addon in data["addons"])
    assert data["endpoints"]["api"] == "https://10.0.0.254:6443"
    assert data["endpoints"]["kubeconfig"] == str(world.folder.kubeconfig)
    assert data["endpoints"]["loadBalancers"][0]["addresses"] == ["10.0.0.240"]
    assert (data["certificate"]["where"], data["certificate"]["days"]) == ("this computer", 100)
    lines = run("status", "--name", "dev")[1].splitlines()
    assert lines[0] == "dev: ready. Kubernetes v1.36.4, provider lima"
    assert "control-plane-1  0.95/2 48%  0.25      307Mi/3.8Gi 8%  512Mi        8/110" in lines
    assert "worker-1         0.95/2 48%  -         307Mi/3.8Gi 8%  -            8/110" in lines
    assert "add-ons       flannel, metallb, local-path, coredns, kube-proxy: available" in lines
    assert "balancers     default/web  10.0.0.240:80, 10.0.0.240:443" in lines
    assert "              default/later  no address yet" in lines
    assert max(map(len, lines)) <= 80 or str(world.folder.kubeconfig) in max(lines, key=len)


def test_cilium_is_in_a_namespace_with_others(world, shown):
    spec = world.folder.read_spec()
    spec["spec"]["network"] |= {"cni": "cilium", "loadBalancer": "none", "proxyMode": "none"}
    world.folder.write_spec(spec)
    parts = [workload("kube-system", name) for name in ("cilium", "cilium-envoy", "hubble-relay", "coredns")]
    world.said[ONE]["workloads"] = [*parts, workload("kube-system", "cilium-operator", "Deployment", "0 of 1")]
    world.said[TWO] = world.said[THREE] = world.said[ONE]
    assert [(each["name"], each["detail"]) for each in shown()["addons"]] == [
        ("cilium", "Deployment cilium-operator: 0 of 1"),
        ("local-path", "it is not there"),
        ("coredns", ""),
    ]


def test_what_is_missing_is_told(world, shown, run):
    said = world.said[ONE]
    world.said[TWO] = world.said[THREE] = said
    said["workloads"] = [workload("metallb-system", "controller", "Deployment", "0 of 1 available")]
    said["nodes"] = [node(ONE, ready=False), node(TWO, cordoned=True), node(THREE)]
    said["certificates"][0]["ends"] = time.time() + 86400 * 3.5
    world.provider.existing[THREE] = "stopped"
    data = shown()
    assert not data["ready"]
    assert [rows(data)[name]["node"] for name in (*PLANES, WORKER)] == [
        *("NotReady", "Ready,SchedulingDisabled", "Ready", "missing"),
    ]
    assert (rows(data)[THREE]["machine"], rows(data)[WORKER]["cpu"]) == ("stopped", None)
    assert [(each["name"], each["available"], each["detail"]) for each in data["addons"]] == [
        ("flannel", False, "it is not there"),
        ("metallb", False, "Deployment controller: 0 of 1 available"),
        ("local-path", False, "it is not there"),
    ]
    assert data["certificate"]["path"] == "/etc/kubernetes/pki/apiserver.crt"
    text = run("status", "--name", "dev")[1]
    assert "Ready,cordoned" in text
    assert "add-ons       flannel: it is not there\n              metallb: Deployment controller: 0 of 1" in text
    assert "/etc/kubernetes/pki/apiserver.crt of dev-control-plane-" in text
    assert ", in 3 days: " in text


def test_what_add_ons_run_is_one_of_them(world, shown):
    parts = [
        workload("kube-system", "metrics-server", "Deployment", addon="metrics-server"),
        workload("hello", "door", "Deployment", addon="hello"),
        workload("hello", "bell", missing="1 of 3 available", addon="hello"),
    ]
    for said in world.said.values():
        said["workloads"] += parts
    assert [(each["name"], each["detail"]) for each in shown()["addons"]][-2:] == [
        ("metrics-server", ""),
        ("hello", "DaemonSet bell: 1 of 3 available"),
    ]


def test_control_planes_are_asked_where_they_were_seen_while_the_provider_looks(world, shown):
    world.recorded(ONE)
    looked = world.provider.machines
    before = []

    def machines():
        before.extend(soon(lambda: world.asked))
        return looked()

    world.provider.machines = machines
    assert shown()["ready"]
    assert before == [ONE]
    assert world.asked.count(ONE) == 1


def test_whichever_control_plane_runs_and_answers(world, shown):
    world.provider.existing[ONE] = "stopped"
    world.said[TWO] = OhmykubeError("ssh.unreachable", f"{TWO} does not answer")
    data = shown()
    assert (data["ready"], data["problem"]) == (False, "")  # a machine is off, whatever the API server believes
    assert world.asked == [TWO, THREE]
    assert {row["node"] for row in data["nodes"]} == {"Ready"}
    world.said[THREE] = OhmykubeError("ssh.unreachable", f"{THREE} does not answer")
    data = shown()
    assert data["problem"].startswith("the API server does not answer: dev-control-plane-")
    assert {row["node"] for row in data["nodes"]} == {"unknown"}


def test_one_that_hangs_does_not_hold_the_answer_back(world, shown):
    world.said[ONE], world.said[TWO] = HANGS, OhmykubeError("ssh.unreachable", "gone")
    assert shown()["ready"]
    assert soon(lambda: world.hanging == [ONE])


def test_one_whose_api_server_is_silent_is_not_believed_while_another_answers(world, shown):
    silent = {**status_world.healthy(), "problem": "kubectl get failed", "nodes": [], "workloads": []}
    world.said[ONE] = world.said[TWO] = silent
    assert shown()["ready"]
    world.said[THREE] = silent
    data = shown()
    assert (data["ready"], data["problem"]) == (False, "the API server does not answer: kubectl get failed")
    assert [row["node"] for row in data["nodes"]] == ["unknown"] * 4
    assert data["addons"] == []
    assert data["certificate"]["days"] > 300  # files tell of themselves


def test_one_that_has_moved_is_asked_at_its_new_place(world, shown):
    world.recorded(ONE, "elsewhere")
    world.said["elsewhere"] = OhmykubeError("ssh.unreachable", "a stranger is there")
    assert (shown()["ready"], world.asked) == (True, ["elsewhere", ONE])


def test_machines_that_are_off_are_not_waited_for(world, shown, run):
    world.recorded(ONE)
    world.said[ONE] = HANGS
    world.provider.existing = dict.fromkeys(world.provider.existing, "stopped")
    assert shown()["problem"] == "no control plane runs"
    assert soon(lambda: world.hanging == [ONE])
    assert "certificates  -" in run("status", "--name", "dev")[1]


def test_a_broken_machine_says_why(world, shown, run):
    world.provider.machines = lambda: [
        Machine(ONE, "broken", "", detail="its disk is gone"),
        Machine(TWO, "running", "10.0.0.2", ssh=target(TWO)),
    ]
    assert rows(shown())[ONE]["detail"] == "its disk is gone"
    assert f"{ONE}: its disk is gone\n" in run("status", "--name", "dev")[1]


def test_a_narrow_terminal_gets_fewer_columns(world, shown):
    data = shown()
    for width in (120, 80, 70, 55, 50):
        lines = [click.unstyle(line) for line in status_text.text(data, width).splitlines()]
        tables = [line for line in lines if line.startswith(("NAME", "NODE", "dev-", "control-plane", "worker"))]
        assert len(tables) == 10
        assert max(map(len, tables)) <= width
