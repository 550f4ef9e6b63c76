"""When a cluster is ready: what the API server says of nodes, their reports, their pods and the workloads."""

import json
from datetime import UTC, datetime

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import readiness
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.readiness import Asked, Member

from tests.unit.kubeadm.node import Node

BOOT = 1_790_000_000  # seconds since 1970


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def item(kind, wanted, there, *, generation=1, observed=1):
    return {
        "kind": kind,
        "metadata": {"namespace": "n", "name": "x", "generation": generation},
        "spec": {"replicas": wanted},
        "status": {
            "observedGeneration": observed,
            "availableReplicas": there,
            "readyReplicas": there,
            "desiredNumberScheduled": wanted,
            "numberAvailable": there,
        },
    }


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_workloads(kind):
    assert list(readiness.missing_workloads([item(kind, 2, 2)])) == []
    assert list(readiness.missing_workloads([item(kind, 2, 1)])) == [f"{kind} n/x: 1 of 2 available"]
    assert list(readiness.missing_workloads([item(kind, 1, 1, generation=2)]))  # its controller has not looked yet
    assert list(readiness.missing_workloads([{**item(kind, 1, 1), "status": {}}]))


def machine(name, address, ready="True"):
    return {
        "kind": "Node",
        "metadata": {"name": name},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": ready, "message": "cni not ready"}],
        },
    }


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def lease(name, renewed):
    return {
        "kind": "Lease",
        "metadata": {"namespace": "kube-node-lease", "name": name},
        "spec": {"renewTime": at(renewed)},
    }


def pod(name, node, *, ready="True", started=BOOT + 5, owner="DaemonSet", namespace="kube-system"):
    return {
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "ownerReferences": [{"kind": owner}]},
        "spec": {"nodeName": node},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"state": {"running": {"startedAt": at(started)}}}],
        },
    }


def test_nodes():
    there = [machine("a", "1"), machine("b", "2", "False")]
    assert list(readiness.missing_nodes(there, {"a": Member("1")}, ready=True)) == []
    assert list(readiness.missing_nodes(there, {"a": Member("9"), "b": Member("2"), "c": Member()}, ready=True)) == [
        "node a has the address 1, not 9",
        "node b is not Ready: cni not ready",
        "node c has not joined",
    ]
    assert list(readiness.missing_nodes(there, {"b": Member()}, ready=False)) == []


def test_what_was_heard_of_a_node_before_it_was_switched_on_does_not_count():
    before, after = at(BOOT - 1), at(BOOT + 1)
    new, known, posted = machine("new", "1"), machine("known", "2"), machine("posted", "3")
    new["metadata"]["creationTimestamp"] = after
    known["metadata"]["creationTimestamp"] = posted["metadata"]["creationTimestamp"] = before
    posted["status"]["conditions"][0]["lastHeartbeatTime"] = after
    found = [new, known, posted, lease("known", BOOT - 1), lease("renewed", BOOT + 1)]
    asked = {name: Member(booted=BOOT) for name in ("new", "known", "posted", "renewed", "lost")}
    silent = [f"node {name} has not reported since it was switched on" for name in ("known", "lost")]
    assert list(readiness.silent_nodes(found, asked)) == silent
    assert list(readiness.silent_nodes([], {"a": Member()})) == []


def test_pods_that_come_with_every_node():
    asked = {"a": Member(booted=BOOT), "b": Member(booted=BOOT)}
    found = [pod("p", "a"), pod("q", "a", ready="False"), pod("r", "a", started=BOOT - 9), pod("s", "c", ready="False")]
    found.append(pod("t", "a", ready="False", owner="ReplicaSet"))
    assert list(readiness.missing_pods(found, asked)) == [
        "Pod kube-system/q on a is not ready",
        "Pod kube-system/r on a is not ready",
        "no pod runs on b",
    ]


def test_what_people_run_and_what_others_are_like_does_not_count():
    found = [machine("a", "1"), lease("a", BOOT + 1), pod("p", "a"), item("Deployment", 2, 1)]
    asked = Asked({"a": Member("1", BOOT)}, ["kube-system"])
    assert list(readiness.missing(found, asked)) == []
    asked = Asked({"a": Member("1", BOOT)}, ["kube-system", "n"])
    assert list(readiness.missing(found, asked)) == ["Deployment n/x: 1 of 2 available"]
    asked = Asked({"a": Member("1", BOOT)}, ["kube-system", "n"], whole=False)
    assert list(readiness.missing(found, asked)) == []


def test_waiting_for_the_cluster(node):
    node.on("get", say=json.dumps({"items": [machine("a", "1"), pod("p", "a")]}))
    readiness.wait(Kubectl(node.host), Asked({"a": Member("1")}, ["kube-system"]), timeout=1)
    node.on("get", "pods", say="POD waits")
    with pytest.raises(OhmykubeError, match="node b has not joined") as caught:
        readiness.wait(Kubectl(node.host), Asked({"b": Member()}, [], ready=False), timeout=0)
    assert "POD waits" in caught.value.context["output"]
