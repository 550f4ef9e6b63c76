"""Control planes that are put right beside others: whose Node was deleted, and that came back with another address."""

import json

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import etcd, moving
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import KUBELET, MANIFESTS
from ansible_collections.ohmykube.cluster.plugins.modules import kubeadm_info, kubeadm_init, kubeadm_join

from tests.unit.kubeadm.etcds import FakeEtcd, address
from tests.unit.kubeadm.planes import ELSEWHERE, JOIN, OWN, SEVERAL, SHARED, VIP, addresses, call


def no_node(name):
    return Completed(1, "", f'Error from server (NotFound): nodes "{name}" not found')


def test_one_whose_node_was_deleted_has_not_joined(finished):
    told = {"version": "v1.36.4", "control_plane": True}
    finished.on("get", "node", "cp2", say=no_node("cp2"))
    seen = call(kubeadm_info, finished, **told, node="cp2")
    assert (seen["joined"], seen["control_plane"]) == (False, True)
    (asked,) = finished.called("kubectl")
    assert "--kubeconfig=/etc/kubernetes/admin.conf" in asked  # its own API server may be alone
    assert call(kubeadm_info, finished, **told)["joined"]  # nobody else has the cluster
    assert call(kubeadm_info, finished, **{**told, "control_plane": False}, node="w1")["joined"]
    assert len(finished.called("kubectl")) == 1


def hang(call):
    raise OhmykubeError("command.timeout", "kubectl get did not end")


@pytest.mark.parametrize("answer", ["node/cp2", Completed(1, "", "connection refused"), no_node("cp3"), hang])
def test_a_cluster_that_is_just_starting_has_forgotten_nobody(finished, answer):
    finished.on("get", "node", say=answer)
    told = {"version": "v1.36.4", "control_plane": True, "node": "cp2"}
    assert call(kubeadm_info, finished, **told)["joined"]


def test_what_is_known_of_it_counts_more_than_what_its_own_api_server_says(finished):
    """Its member of etcd is out by then, and the kubelet of a control plane asks nobody else."""
    finished.on("get", "node", say=Completed(1, "", "etcdserver: no leader"))
    finished.on("show", SHARED, say=lambda _: json.dumps([{"ifname": "eth0"}] if not addresses(finished) else []))
    again = {**JOIN, "unjoined": True, "shared_address": SHARED, "address": ELSEWHERE}
    finished.write(moving.FLAGS, f"--node-ip={ELSEWHERE}")
    assert call(kubeadm_join, finished, **again, check_mode=True)["changed"]
    assert finished.calls == []
    finished.on("kubeadm", "reset", say=lambda _: finished.host.path(KUBELET).unlink(missing_ok=True) or "")
    assert call(kubeadm_join, finished, **again)["changed"]
    done = [call[3] if "kubeadm" in call else call[0] for call in finished.calls if {"kubeadm", "delete"} & {*call}]
    assert done == ["reset", "ip", "join"]  # kube-vip ends first, and kubeadm asks the others at the address
    assert addresses(finished) == [["delete", f"{SHARED}/32", "dev", "eth0"]]
    assert not finished.called("get")


@pytest.mark.parametrize(("ill", "words"), [("", ""), ("c", "without b, etcd has 2 members, of which 1 work")])
def test_one_joins_anew_only_where_etcd_can_do_without_it(finished, monkeypatch, ill, words):
    fake = FakeEtcd("abc", dead=ill)
    monkeypatch.setattr(etcd, "gateway", lambda _: fake.ask)
    finished.write("/etc/kubernetes/manifests/etcd.yaml")
    told = {**SEVERAL, "nodes": {"a": OWN, "b": address("b"), "w1": ""}, "unjoined": ["b", "w1"]}
    if words:
        with pytest.raises(OhmykubeError, match=words) as caught:
            call(kubeadm_init, finished, **told)
        assert caught.value.code == "etcd.quorum"
    else:
        assert call(kubeadm_init, finished, **told)["missing"] == ["a", "b", "w1"]
    assert fake.names() == "abc"


def test_an_etcd_that_is_about_to_start_again_is_waited_for(finished, monkeypatch):
    """As after its disk was full."""
    fake, asked = FakeEtcd("ab"), []

    def ask(path, body, url=""):
        asked.append(path)
        if len(asked) == 1:
            raise OhmykubeError("etcd.failed", "no", context={"output": "[Errno 111] Connection refused"})
        return fake.ask(path, body, url)

    monkeypatch.setattr(etcd, "gateway", lambda _: ask)
    finished.write("/etc/kubernetes/manifests/etcd.yaml")
    told = {**SEVERAL, "nodes": {"a": OWN, "w1": ""}, "unjoined": ["w1"]}
    assert call(kubeadm_init, finished, **told)["missing"] == ["a", "w1"]
    assert asked == ["cluster/member/list"] * 2


@pytest.mark.parametrize("check_mode", [False, True])
def test_where_most_control_planes_have_moved_all_is_left_as_it_is(finished, check_mode):
    """Also where this one has not: its API server would never answer."""
    finished.write(moving.FLAGS, f"--node-ip={OWN}")
    told = {**SEVERAL, "nodes": {"a": OWN, "b": "", "c": ""}, "others": ["b", "c"]}
    for names, at in ((["b", "c", "w1"], OWN), (["a", "b"], ELSEWHERE)):
        given = {**told, "nodes": {**told["nodes"], "a": at}, "address": at, "moved": names}
        with pytest.raises(OhmykubeError, match="2 of 3 control planes") as caught:
            call(kubeadm_init, finished, **given, check_mode=check_mode)
        assert caught.value.code == "kubeadm.moved"
    assert finished.host.read(moving.FLAGS) == f"--node-ip={OWN}"
    assert finished.calls == []


@pytest.fixture
def moved(finished, monkeypatch):
    """One of three that has come back elsewhere; the cluster hears of it when the kubelet has told."""
    fake = FakeEtcd("abc", dead="b")
    monkeypatch.setattr(etcd, "gateway", lambda _: fake.ask)
    monkeypatch.setattr(kubeadm_join, "gateway", lambda _: fake.ask)
    finished.etcd = fake
    finished.write(moving.FLAGS, f"--node-ip={address('b')}")
    finished.write(f"{MANIFESTS}/etcd.yaml", f"- --listen-peer-urls=https://{address('b')}:2380")
    finished.on("get", "node", say=json.dumps({"status": {"addresses": [{"address": ELSEWHERE}]}}))
    finished.on("show", ELSEWHERE, say=json.dumps([{"ifname": "eth0"}]))
    return finished


def test_one_of_three_that_has_moved_is_put_right_when_the_others_know_of_it(moved):
    known = []
    moved.on("certs", "apiserver", say=lambda _: known.append(moved.etcd.peers()["b"]) or "")
    told = {**JOIN, "address": ELSEWHERE, "others": [address("a"), address("c")], "init_config": "kind: y"}
    assert call(kubeadm_join, moved, **told, check_mode=True) == {"changed": True}
    assert moved.calls == []
    assert call(kubeadm_join, moved, **told) == {"changed": True}
    assert known == [[f"https://{ELSEWHERE}:2380"]]
    assert moved.host.read(f"{MANIFESTS}/etcd.yaml") == f"- --listen-peer-urls=https://{ELSEWHERE}:2380"
    assert moved.host.read(moving.FLAGS) == f"--node-ip={ELSEWHERE}"
    assert moved.host.read(VIP) == "kind: Pod"
    assert not moved.called("kubeadm", "join")
    assert not moved.called("kubeadm", "upload-config")
    assert not moved.host.path("/etc/kubernetes/kubeadm.yaml").exists()
    assert not call(kubeadm_join, moved, **told)["changed"]


def test_one_of_three_that_has_moved_stays_as_it_is_where_the_others_are_too_few(moved):
    moved.etcd.dead = "bc"
    told = {**JOIN, "address": ELSEWHERE, "others": [address("a"), address("c")]}
    with pytest.raises(OhmykubeError, match="1 work elsewhere; it needs 2"):
        call(kubeadm_join, moved, **told)
    assert moved.calls == []
    assert moving.old_address(moved.host, ELSEWHERE) == address("b")


def test_one_that_is_looked_at_alone_is_put_right_as_well(moved):
    """Who adds a worker needs one control plane."""
    nodes = {"a": address("a"), "b": ELSEWHERE, "c": address("c"), "w1": ""}
    told = {**SEVERAL, "address": ELSEWHERE, "nodes": nodes, "others": ["a", "c"], "moved": ["b"]}
    moved.on("get", "nodes", say=json.dumps({"items": [*map(ready, nodes)]}))
    assert call(kubeadm_init, moved, **told) == {"changed": True, "missing": ["a", "b", "c"]}  # none is at its address
    assert moved.etcd.peers()["b"] == [f"https://{ELSEWHERE}:2380"]
    assert moved.called("kubeadm", "upload-config")


def ready(name):
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def test_who_has_moved_is_told_and_is_missing_until_all_is_put_right(moved):
    """Also when the API server has heard of it already: kube-proxy may not have."""
    told = {"version": "v1.36.4"}
    assert call(kubeadm_info, moved, **told, address=ELSEWHERE)["moved"]
    assert not call(kubeadm_info, moved, **told, address=address("b"))["moved"]
    assert not call(kubeadm_info, moved, **told)["moved"]
    moved.on("get", "nodes", say=json.dumps({"items": [ready("a"), ready("w1")]}))
    told = {**SEVERAL, "address": address("b"), "nodes": {"a": "", "w1": ""}}
    assert call(kubeadm_init, moved, **told, moved=["w1"])["missing"] == ["w1"]
    assert call(kubeadm_init, moved, **told)["missing"] == []
