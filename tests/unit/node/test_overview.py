"""A whole cluster at a glance: what pods ask for, and what one question to the API server tells."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import overview, requests
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.modules import cluster_overview
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kubeadm.node import Node
from tests.unit.node.test_health_looks import certificate

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", "0.25"),
        ("1.5", "1.5"),
        (2, "2"),
        ("156340952n", "0.156340952"),
        ("10u", "0.00001"),
        ("128Mi", 128 * 2**20),
        ("1.5Gi", 1.5 * GIB),
        ("1Ei", 2**60),
        ("1E", 10**18),
        ("1E3", 1000),
        ("12e-1", "1.2"),
        ("1k", 1000),
        (".5", "0.5"),
        ("-1", -1),
    ],
)
def test_quantities(text: object, number: object) -> None:
    assert requests.quantity(text) == Decimal(number)  # type: ignore[arg-type]


@given(st.integers(0, 10**18), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_a_larger_number_is_more(number: int, suffix: str) -> None:
    assert requests.quantity(f"{number + 1}{suffix}") > requests.quantity(f"{number}{suffix}") >= 0


@given(st.text(max_size=8))
def test_what_is_no_quantity_is_refused_and_nothing_else(text: str) -> None:
    try:
        requests.quantity(text)
    except ValueError:
        return
    assert any(each.isdigit() for each in text)


def container(cpu: str | None = None, memory: str | None = None, **more: Any) -> dict[str, Any]:
    wants = {"cpu": cpu, "memory": memory}
    return {"resources": {"requests": {key: value for key, value in wants.items() if value}}, **more}


def test_a_pod_asks_for_the_most_that_it_has_at_once() -> None:
    spec = {
        "containers": [container("100m"), container("200m"), {}],
        "initContainers": [
            container("250m"),
            container("50m", restartPolicy="Always"),
            container("400m"),
            container("10m", restartPolicy="Always"),
        ],
        "overhead": {"cpu": "1m"},
    }
    assert requests.asked(spec, "cpu") == Decimal("0.451")  # the third, beside the first sidecar
    spec["initContainers"][2] = container("300m")
    assert requests.asked(spec, "cpu") == Decimal("0.361")  # all containers and both sidecars
    assert requests.asked(spec, "memory") == 0
    spec["resources"] = {"requests": {"cpu": "2"}}  # of the whole pod
    assert requests.asked(spec, "cpu") == Decimal("2.001")


def pod(node: str, cpu: str, phase: str = "Running") -> dict[str, Any]:
    spec = {"nodeName": node, "containers": [container(cpu, "64Mi")]}
    return {"kind": "Pod", "metadata": {"name": "a"}, "spec": spec if node else {}, "status": {"phase": phase}}


OBJECTS = [
    {
        "kind": "Node",
        "metadata": {"name": "cp1"},
        "spec": {"unschedulable": True},
        "status": {
            "allocatable": {"cpu": "1950m", "memory": "3Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.36.4"},
        },
    },
    {"kind": "Node", "metadata": {"name": "new"}, "spec": {}, "status": {}},
    pod("cp1", "100m"),
    pod("cp1", "200m", "Pending"),
    pod("cp1", "4", "Succeeded"),
    pod("", "8"),
    {
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "spec": {"replicas": 2},
        "status": {"availableReplicas": 1},
    },
    {
        "kind": "DaemonSet",
        "metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"},
        "status": {"desiredNumberScheduled": 1, "numberAvailable": 1},
    },
    {
        "kind": "Deployment",
        "metadata": {"name": "mine", "namespace": "default"},
        "spec": {"replicas": 2},
        "status": {},
    },
    {
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": "hello", "labels": {"ohmykube.dev/addon": "greeting"}},
        "spec": {"replicas": 1},
        "status": {"availableReplicas": 1},
    },
    {"kind": "Service", "metadata": {"name": "a", "namespace": "default"}, "spec": {"type": "ClusterIP"}},
    {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.240"}, {"hostname": "web.example"}]}},
    },
    {
        "kind": "Service",
        "metadata": {"name": "later", "namespace": "default"},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {}},
    },
]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path).on("get", say=json.dumps({"items": OBJECTS}))
    made.on(f"--raw={overview._METRICS}", say=Completed(1, "", "the server could not find the requested resource"))
    made.write("/etc/kubernetes/pki/apiserver.crt", certificate(datetime(2027, 1, 1, tzinfo=UTC)))
    return made


def test_all_of_it_is_one_question_and_one_for_what_is_used(node: Node) -> None:
    told = cluster_overview.run({}, node.host, check_mode=False)
    assert (told["changed"], told["problem"]) == (False, "")
    first, new = told["nodes"]
    assert (first["name"], first["ready"], first["cordoned"], first["version"]) == ("cp1", True, True, "v1.36.4")
    assert first["allocatable"] == {"cpu": 1.95, "memory": 3 * GIB, "pods": 110}
    assert first["requested"] == {"cpu": 0.3, "memory": 128 * 2**20, "pods": 2}
    assert (new["requested"]["pods"], new["ready"], first["used"]) == (0, False, None)
    assert [tuple(each.values()) for each in told["workloads"]] == [
        ("Deployment", "kube-system", "coredns", "", "1 of 2 available"),
        ("Deployment", "hello", "hello", "greeting", ""),
        ("DaemonSet", "kube-flannel", "kube-flannel-ds", "", ""),
    ]
    assert list(told["workloads"][0]) == ["kind", "namespace", "name", "addon", "missing"]
    assert told["load_balancers"] == [
        {"namespace": "default", "name": "web", "addresses": ["10.0.0.240", "web.example"], "ports": [80]},
        {"namespace": "default", "name": "later", "addresses": [], "ports": []},
    ]
    assert [each["path"] for each in told["certificates"]] == ["/etc/kubernetes/pki/apiserver.crt"]
    assert len(node.calls) == 2
    assert json.loads(json.dumps(told)) == told


def test_what_is_used_where_somebody_measures_it(node: Node) -> None:
    usage = {"metadata": {"name": "cp1"}, "usage": {"cpu": "156340952n", "memory": "1048576Ki"}}
    node.on(f"--raw={overview._METRICS}", say=json.dumps({"items": [usage]}))
    assert overview.look(node.host)["nodes"][0]["used"] == {"cpu": 0.156340952, "memory": GIB}
    assert not any("--output=json" in call for call in node.called(f"--raw={overview._METRICS}"))
    for nonsense in ("", "[]", '{"items": [{}]}'):
        node.on(f"--raw={overview._METRICS}", say=nonsense)
        assert overview.look(node.host)["nodes"][0]["used"] is None


def test_an_api_server_that_is_silent(node: Node) -> None:
    node.on("get", say=Completed(1, "", "connection refused"))
    told = overview.look(node.host)
    assert "connection refused" in told["problem"]
    assert (told["nodes"], told["workloads"], told["load_balancers"]) == ([], [], [])
    assert told["certificates"]
