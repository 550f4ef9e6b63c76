"""Trying a cluster out: what is put in, what is read from it, and that nothing goes unsaid."""

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke import objects, run, seen
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke.results import Check, failed, parse, table
from ansible_collections.ohmykube.cluster.plugins.module_utils.smoke.run import Smoke

from tests.unit.kubeadm.node import Node

NODES = {"cp": "10.0.0.1", "w1": "10.0.0.2"}
CLASS = {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}


def items(*found):
    return json.dumps({"items": list(found)})


def machine(name, *addresses):
    internal = [{"type": "InternalIP", "address": address} for address in addresses]
    return {"metadata": {"name": name}, "status": {"addresses": internal}}


def pod(app, node, *addresses, ready="True"):
    status = {"podIPs": [{"ip": each} for each in addresses], "conditions": [{"type": "Ready", "status": ready}]}
    metadata = {"name": f"{app}-{node}", "labels": {"app": app}}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}, "status": status}


def service(*addresses, own=("10.96.0.9",)):
    ingress = {"ingress": [{"ip": each} for each in addresses]} if addresses else {}
    families = ["IPv6" if ":" in each else "IPv4" for each in own]
    return {
        "kind": "Service",
        "spec": {"clusterIPs": list(own), "ipFamilies": families, "ports": [{"nodePort": 30080}]},
        "status": {"loadBalancer": ingress},
    }


def flannel(*containers):
    return {
        "kind": "DaemonSet",
        "spec": {"template": {"spec": {"containers": [{"name": name} for name in containers]}}},
    }


PODS = [pod(app, node, f"10.244.0.{number}") for number, node in enumerate(NODES) for app in ("pod", "node")]
PODS.insert(0, pod("web", "w1", "10.244.0.9"))


@pytest.fixture
def node(tmp_path):
    """A control plane of a cluster that has everything and does it well."""
    made = Node(tmp_path)
    made.on("get", "nodes", say=items(*(machine(*each) for each in NODES.items())))
    made.on("get", "storageclasses", say=items(CLASS))
    made.on("get", "daemonsets", say=items(flannel("kube-flannel")))
    made.on("get", "ipaddresspools.metallb.io", say="ipaddresspool/ohmykube\n")
    made.on("get", "pods,services", say=items(*PODS, service("10.0.0.200")))
    made.on("get", "pod/writer", say=json.dumps({"status": {"phase": "Succeeded"}}))
    made.on("get", "pod/reader", say=json.dumps({"status": {"phase": "Succeeded"}}))
    made.on("exec", say="ok|DNS|\n")
    made.on("logs", "reader", say=f"{objects.WORDS}\n")
    for name in NODES:
        made.on("logs", f"pod-{name}", say=f"smoke on {name}\n")
    return made


def smoke(node, timeout=0):
    return Smoke(Kubectl(node.host), "busybox:1", timeout=timeout)


def statuses(checks):
    return {(check.name, check.where): check.status for check in checks}


def test_everything_is_tried_from_every_node(node):
    checks, (found,) = smoke(node).run()
    assert found.load_balancer == "10.0.0.200"
    assert failed(checks) == []
    assert statuses(checks) == {
        ("DNS", "cp"): "ok",
        ("DNS", "w1"): "ok",
        ("logs", "cp"): "ok",
        ("logs", "w1"): "ok",
        ("volume", ""): "ok",
        ("network policy", ""): "skipped",
    }
    scripts = {call[call.index("exec") + 1]: call[-1] for call in node.called("exec")}
    assert set(scripts) == {"pod-cp", "pod-w1", "node-cp", "node-w1"}
    for name, address in NODES.items():
        assert "resolve kubernetes.default" in scripts[f"pod-{name}"]
        assert {f"fetch 10.244.0.{number}:8080" in scripts[f"pod-{name}"] for number in range(2)} == {True}
        for other in NODES:
            assert f"fetch {address}:30080" in scripts[f"node-{other}"]
        assert "fetch 10.96.0.9" in scripts[f"node-{name}"]
        assert "fetch 10.0.0.200" in scripts[f"node-{name}"]


def test_a_cluster_of_both_families_is_tried_with_addresses_of_each(node):
    node.on("get", "nodes", say=items(machine("cp", "10.0.0.1", "fd00::1"), machine("w1", "10.0.0.2", "fd00::2")))
    pods = [pod(app, name, f"10.244.0.{at}", f"fd01::{at}") for at, name in enumerate(NODES) for app in ("pod", "node")]
    web = [pod("web", "w1", "10.244.0.9", "fd01::9")]
    both = service("10.0.0.200", "fd00::c8", own=("10.96.0.9", "fd02::9"))
    node.on("get", "pods,services", say=items(*web, *pods, both))
    _, found = smoke(node).run()
    assert [one.load_balancer for one in found] == ["10.0.0.200", "[fd00::c8]"]
    scripts = {}
    for call in node.called("exec"):
        scripts.setdefault(call[call.index("exec") + 1], []).append(call[-1])
    assert {name: len(them) for name, them in scripts.items()} == {"pod-cp": 2, "pod-w1": 2, "node-cp": 2, "node-w1": 2}
    for them in scripts.values():
        first, second = sorted(them, key=lambda script: "(IPv6)" in script)
        assert "fd0" not in first
        assert "10." not in second.rpartition("\nsum=")[2]
    (second,) = (script for script in scripts["node-cp"] if "(IPv6)" in script)
    for address in ("[fd02::9]", "[fd00::1]:30080", "[fd00::2]:30080", "[fd00::c8]"):
        assert f"fetch {address}\n" in f"{second}\n"


def test_what_the_cluster_does_not_have_is_skipped_and_named(node):
    node.on("get", "storageclasses", say=items())
    node.on("get", "ipaddresspools.metallb.io", say=Completed(1, "", "the server doesn't have a resource type"))
    node.on("get", "pods,services", say=items(*PODS, service()))
    checks, (found,) = smoke(node).run()
    assert found.load_balancer == ""
    assert {check.name: check.detail for check in checks if check.status == "skipped"} == {
        "volume": "no StorageClass is the default",
        "load balancer": "MetalLB has no addresses",
        "network policy": "flannel alone enforces none",
    }
    assert not [call for call in node.called("exec") if "load balancer" in call[-1]]


def test_an_error_in_one_look_is_one_failed_check(node):
    node.on("exec", "pod-w1", say=Completed(1, "", "error: unable to upgrade connection"))
    node.on("logs", "pod-cp", say="something else")
    node.on("logs", "reader", say="")
    checks, _ = smoke(node).run()
    assert {(check.name, check.where) for check in failed(checks)} == {("look", "w1"), ("logs", "cp"), ("volume", "")}
    assert "unable to upgrade connection" in next(check.detail for check in checks if check.name == "look")


def policies(node, said=""):
    """Those that are applied from now on, which the API server answers so."""
    applied = []

    def answer(call):
        if "NetworkPolicy" not in Path(call[-1].partition("=")[2]).read_text():
            return ""
        applied.append(call)
        return said

    node.on("apply", say=answer)
    return applied


def test_what_waits_for_a_controller_that_has_only_just_begun_is_applied_again(node, monkeypatch):
    monkeypatch.setattr(kubectl, "POLL", 0)
    words = 'error looking up service account ohmykube-smoke/default: serviceaccount "default" not found'
    answers = iter([Completed(1, "", words), Completed(1, "", words)])
    node.on("apply", say=lambda _: next(answers, ""))
    checks, _ = smoke(node, timeout=10).run()
    assert failed(checks) == []


def test_policies_are_tried_last_where_something_enforces_them(node):
    node.on("get", "daemonsets", say=items())
    applied = policies(node)
    checks, _ = smoke(node).run()
    assert not [check for check in checks if check.status == "skipped"]
    denied, allowed = [call[-1].splitlines()[-1] for call in node.called("exec")][-2:]
    assert denied == "attempt 'network policy: deny' refuse 10.244.0.1:8080"
    assert allowed == "attempt 'network policy: allow' fetch 10.244.0.1:8080"
    assert len(applied) == 2


def test_flannel_may_have_somebody_beside_it_who_enforces_policies(node):
    node.on("get", "daemonsets", say=items(flannel("kube-flannel", "kube-network-policies")))
    applied = policies(node)
    smoke(node).run()
    assert len(applied) == 2


def test_a_policy_that_cannot_be_made_is_one_failed_check(node):
    node.on("get", "daemonsets", say=items())
    policies(node, Completed(1, "", "error: no such kind"))
    checks, _ = smoke(node).run()
    assert [(check.name, check.where) for check in failed(checks)] == [("look", "")]


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([*PODS[:-1], service()], "no node runs on w1"),
        ([*PODS[:-1], pod("node", "w1", "10.0.0.2", ready="False"), service()], "no node runs on w1"),
        ([*PODS, service()], "the load balancer has no address"),
        ([*PODS[1:], service()], "the pod behind the service does not run"),
        ([], "no pod runs on cp"),
    ],
)
def test_what_does_not_come_up_in_time_is_named(node, there, words):
    node.on("get", "pods,services", say=items(*there)).on("get", "events", say="FIRST\nBackOff")
    with pytest.raises(OhmykubeError, match=words) as caught:
        smoke(node).run()
    assert "BackOff" in caught.value.context["output"]


def test_a_volume_that_is_never_bound_fails_alone(node):
    node.on("get", "pod/writer", say=json.dumps({"status": {"phase": "Pending"}}))
    checks, _ = smoke(node).run()
    (wrong,) = failed(checks)
    assert wrong.detail == "pod writer has not ended after 0 s: it is Pending"


def test_a_namespace_that_is_there_is_taken_away_first_and_last(node):
    assert not smoke(node).present()
    node.on("get", "namespace", say=json.dumps({"kind": "Namespace"}))
    assert smoke(node).present()
    smoke(node).run()
    (call,) = node.called("delete", "namespace")
    assert node.calls.index(call) < node.calls.index(node.called("apply")[0])


def test_objects_name_their_namespace_and_pods_run_on_every_node():
    made = [*objects.network("b:1", load_balancer=True), *objects.volume("b:1"), *objects.reader("b:1")]
    assert {item["metadata"]["namespace"] for item in made} == {objects.NAMESPACE}
    assert [item["kind"] for item in made] == [
        "DaemonSet",
        "DaemonSet",
        "Pod",
        "Service",
        "PersistentVolumeClaim",
        "Pod",
        "Pod",
    ]
    pods = [item["spec"]["template"]["spec"] for item in made[:2]]
    assert all(each["tolerations"] == [{"operator": "Exists"}] for each in pods)
    assert [each.get("hostNetwork", False) for each in pods] == [False, True]
    assert objects.network("b:1", load_balancer=False)[3]["spec"]["type"] == "NodePort"
    assert made[3]["spec"]["selector"] == {"app": "web"} == made[2]["metadata"]["labels"]
    size = len(subprocess.run(objects.PAYLOAD.split(), capture_output=True, check=True).stdout)
    assert size > 100_000  # many packets, each larger than any tunnel's overhead forgives


def test_the_script_says_what_worked_and_what_did_not(tmp_path):
    """In a real shell, without the seconds."""
    script = "sleep() { :; }\nsuffix=''" + run._TOOLS + "attempt 'it works' true\nattempt 'it does not' false 1 2\n"
    script += "explain() { echo first >&2; echo why >&2; false; }\nattempt 'it says why' explain 3\n"
    said = subprocess.run(["sh", "-uc", script], capture_output=True, text=True, check=True, timeout=20).stdout
    assert list(parse(f"noise\n{said}", "w1")) == [
        Check("it works", "w1", "ok"),
        Check("it does not", "w1", "failed", "false 1 2"),
        Check("it says why", "w1", "failed", "explain 3: why"),
    ]


def test_a_table_has_columns_and_names_the_cluster():
    checks = [Check("DNS", "w1", "ok"), Check("volume", "", "skipped", "no class")]
    assert table(checks) == ["DNS     w1       ok", "volume  cluster  skipped  no class"]
    assert table([]) == []


def test_nodes_without_an_address_are_no_reason_to_stop():
    (found,) = seen.read([service()], [{"metadata": {"name": "a"}, "status": {"addresses": []}}])
    assert found.nodes == {"a": ""}
