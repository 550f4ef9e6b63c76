"""The modules of the role kubeadm on control planes that are several."""

import json
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import etcd, kubectl, moving, tokens
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import INITIALISED, KUBELET
from ansible_collections.ohmykube.cluster.plugins.modules import (
    kube_nodes,
    kube_remove,
    kubeadm_info,
    kubeadm_init,
    kubeadm_join,
    kubeadm_token,
)

from tests.unit.cache.proxy import authority
from tests.unit.kubeadm.etcds import FakeEtcd, address
from tests.unit.kubeadm.planes import ELSEWHERE, JOIN, OWN, SEVERAL, SHARED, VIP, addresses, call


def test_the_first_control_plane_holds_the_address_until_its_pod_does(node):
    held = []
    node.on("init", say=lambda _: held.extend(addresses(node)) or "")
    made = call(kubeadm_init, node, **SEVERAL, nodes={"cp1": OWN, "cp2": ""})
    assert made == {"changed": True, "missing": ["cp1", "cp2"]}
    assert held == addresses(node) == [["replace", f"{SHARED}/32", "dev", "eth0"]]
    assert node.host.read(VIP) == "kind: Pod"


def test_the_address_is_given_back_where_no_cluster_was_made(node):
    node.on("init", say=Completed(1, "", "error: no")).on("delete", f"{SHARED}/32", say=Completed(2, "", "none"))
    with pytest.raises(OhmykubeError, match="kubeadm init failed"):
        call(kubeadm_init, node, **SEVERAL)
    assert addresses(node)[1:] == [["delete", f"{SHARED}/32", "dev", "eth0"]]


def test_one_control_plane_has_no_address_but_its_own(node):
    node.on("init", say=Completed(1, "", "error: no"))
    with pytest.raises(OhmykubeError):
        call(kubeadm_init, node, **{**SEVERAL, "shared_address": ""})
    assert node.called("init")
    assert addresses(node) == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_cluster_is_not_made_while_another_control_plane_cannot_be_asked(node, check_mode):
    with pytest.raises(OhmykubeError) as caught:
        call(kubeadm_init, node, **SEVERAL, unseen=["cp2"], check_mode=check_mode)
    assert caught.value.code == "kubeadm.unseen"
    assert node.calls == []
    node.write(INITIALISED)
    call(kubeadm_init, node, **SEVERAL, unseen=["cp2"], check_mode=check_mode)  # this one has it


def test_one_that_becomes_one_of_several_gets_the_pod_and_tells_the_others(finished):
    assert call(kubeadm_init, finished, **SEVERAL, check_mode=True)["changed"]
    assert not finished.called("rollout")
    assert call(kubeadm_init, finished, **SEVERAL)["changed"]
    assert finished.host.read(VIP) == "kind: Pod"
    assert [call[-1] for call in finished.called("rollout")] == ["daemonset/kube-proxy"]
    assert not call(kubeadm_init, finished, **SEVERAL)["changed"]
    assert not call(kubeadm_init, finished, **SEVERAL, check_mode=True)["changed"]
    assert len(finished.called("rollout")) == 1
    assert addresses(finished) == []
    assert not finished.called("kubeadm")


def test_pods_start_anew_only_when_the_api_server_answers_at_its_new_address(finished):
    finished.on("--raw=/readyz", say=Completed(1))
    with pytest.raises(OhmykubeError, match="was set up before"):
        call(kubeadm_init, finished, **{**SEVERAL, "timeout": 0})
    assert not finished.called("rollout")


def test_half_a_control_plane_that_has_moved_joins_where_it_is_now(node):
    node.write(moving.FLAGS, f"--node-ip={OWN}")
    node.write(KUBELET)
    node.on("get", "node", say=json.dumps({"status": {"addresses": [{"address": ELSEWHERE}]}}))
    assert call(kubeadm_join, node, **JOIN, address=ELSEWHERE)["changed"]
    assert node.called("kubeadm", "join")
    assert node.host.path(INITIALISED).exists()


def test_a_control_plane_joins_as_one_and_keeps_to_its_pods(node):
    assert call(kubeadm_join, node, **JOIN, check_mode=True)["changed"]
    assert node.calls == []
    assert call(kubeadm_join, node, **JOIN)["changed"]
    assert node.host.path(INITIALISED).exists()
    node.write(KUBELET)
    assert not call(kubeadm_join, node, **JOIN)["changed"]
    alone = {**JOIN, "static_pods": {"kube-vip.yaml": ""}}
    assert call(kubeadm_join, node, **alone, check_mode=True)["changed"]
    assert node.host.read(VIP) == "kind: Pod"
    assert call(kubeadm_join, node, **alone)["changed"]
    assert not node.host.path(VIP).exists()
    assert len(node.called("kubeadm", "join")) == 1


def test_a_worker_gets_no_pods(node):
    for _ in range(2):
        call(kubeadm_join, node, **{**JOIN, "control_plane": False})
        node.write(KUBELET)
    assert not node.host.path(VIP).exists()
    assert not node.host.path(INITIALISED).exists()


@pytest.mark.parametrize(("plane", "done", "joined"), [(True, False, False), (True, True, True), (False, False, True)])
def test_a_control_plane_counts_as_joined_when_it_is_finished(node, plane, done, joined):
    node.on("images", "list", say="a:1\nb:1\n")
    told = {"version": "v1.36.4", "control_plane": plane}
    assert not call(kubeadm_info, node, **told)["joined"]
    node.write(KUBELET)
    if done:
        node.write(INITIALISED)
    seen = {"changed": False, "joined": joined, "control_plane": done, "moved": False}
    assert call(kubeadm_info, node, **told) == {**seen, "images": ["a:1", "b:1"]}
    assert call(kubeadm_info, node, **told, check_mode=True) == {**seen, "images": []}


@pytest.fixture
def minting(node, tmp_path):
    """A control plane on which tokens are signed at once."""
    node.write("/etc/kubernetes/pki/ca.crt", authority(tmp_path)[0].read_text())
    made = []

    def apply(call):
        made.append(json.loads(Path(call[-1].removeprefix("--filename=")).read_text())["stringData"]["token-id"])
        return ""

    node.on("apply", say=apply)
    return node.on("configmap/cluster-info", say=lambda _: json.dumps({"data": {f"jws-kubeconfig-{made[-1]}": "…"}}))


def test_new_control_planes_get_the_key_and_what_they_were_to_etcd_is_forgotten(minting, monkeypatch):
    fake = FakeEtcd("abcd", nameless="d")  # b was made anew, d died before it had begun
    monkeypatch.setattr(etcd, "gateway", lambda _: fake.ask)
    minting.write("/etc/kubernetes/manifests/etcd.yaml")
    new = {"b": "10.0.0.9", "x": address("d")}
    order = []
    monkeypatch.setattr(etcd, "forget", lambda *args, forget=etcd.forget: order.append("remove") or forget(*args))
    monkeypatch.setattr(tokens, "mint", lambda kubectl, mint=tokens.mint: order.append("apply") or mint(kubectl))
    minting.on("upload-certs", say=lambda _: order.append("upload-certs") or "")
    told = call(kubeadm_token, minting, control_planes=new, unjoined=["b"], version="v1.36.4")
    assert told["changed"]
    assert told["token"]
    assert len(told["certificate_key"]) == 64
    assert fake.names() == "ac"
    assert minting.called("upload-certs")
    assert order == ["upload-certs", "apply", "remove"]  # whoever leaves may be the one that answers
    again = call(kubeadm_token, minting, control_planes=new, version="v1.36.4")
    assert not again["changed"]
    assert again["certificate_key"] != told["certificate_key"]


def test_workers_get_no_key_and_etcd_is_not_asked(minting, monkeypatch):
    monkeypatch.setattr(etcd, "gateway", lambda _: pytest.fail("etcd was asked"))
    minting.write("/etc/kubernetes/manifests/etcd.yaml")
    told = call(kubeadm_token, minting, unjoined=["w1"])
    assert (told["certificate_key"], bool(told["token"])) == ("", True)
    assert not minting.called("upload-certs")
    calls = len(minting.calls)
    asked = call(kubeadm_token, minting, control_planes={"b": ""}, check_mode=True)
    assert asked == {"changed": False, "token": "", "ca_cert_hash": "", "certificate_key": ""}
    assert len(minting.calls) == calls


def test_an_etcd_that_is_not_the_clusters_own_is_not_asked(minting, monkeypatch):
    monkeypatch.setattr(etcd, "gateway", lambda _: pytest.fail("etcd was asked"))
    told = call(kubeadm_token, minting, control_planes={"b": address("b")}, version="v1.36.4")
    assert len(told["certificate_key"]) == 64


@pytest.mark.parametrize(
    ("told", "planes", "revoked", "withdrawn"),
    [({"revoke_tokens": True}, 2, True, True), ({"revoke_tokens": True}, 1, True, False), ({}, 2, False, False)],
)
def test_the_key_is_withdrawn_with_the_tokens(node, told, planes, revoked, withdrawn):
    labels = {"node-role.kubernetes.io/control-plane": ""}
    there = [{"metadata": {"name": name, "labels": labels if name < planes else {}}} for name in range(3)]
    node.on("get", "nodes", say=json.dumps({"items": there}))
    call(kube_nodes, node, nodes=[], **told)
    assert bool(node.called("delete", "secret", "kubeadm-certs")) == withdrawn
    assert bool(node.called("delete", "secrets")) == revoked
    node.calls.clear()
    node.write("/etc/kubernetes/admin.conf")
    call(kube_nodes, node, nodes=[], **told, check_mode=True)
    assert not node.called("delete")


def test_nodes_are_marked_when_their_kubelets_have_registered_them(node, monkeypatch):
    monkeypatch.setattr(kubectl, "POLL", 0)
    looks = iter([known("a"), known("a"), known("a", "b")])
    node.on("get", "nodes", say=lambda _: next(looks))
    done = call(kube_nodes, node, nodes=[marks("a"), marks("b")])
    assert done["changes"] == ["a", "b"]

    monkeypatch.setattr(kube_nodes, "WAIT", 0)
    node.on("get", "nodes", say=known("a"))
    with pytest.raises(OhmykubeError, match="no node of this name after 0 s: b"):
        call(kube_nodes, node, nodes=[marks("a"), marks("b")])
    node.write("/etc/kubernetes/admin.conf")
    planned = call(kube_nodes, node, nodes=[marks("a"), marks("b")], check_mode=True)
    assert planned["changes"] == ["a"]  # the other one is yet to join


def marks(name):
    return {"name": name, "labels": {"size": "big"}, "annotations": {}, "taints": []}


def known(*names):
    return json.dumps({"items": [{"metadata": {"name": name}, "spec": {}} for name in names]})


def test_a_control_plane_that_leaves_is_taken_out_of_the_etcd_beside_it(node, monkeypatch):
    fake = FakeEtcd("abc", dead="b")
    monkeypatch.setattr(kube_remove, "gateway", lambda _: fake.ask)
    node.on("get", "nodes", say=known(*"abc")).write("/etc/kubernetes/manifests/etcd.yaml")
    for check_mode in (True, False):
        with pytest.raises(OhmykubeError) as caught:
            call(kube_remove, node, nodes=["c"], timeout=9, check_mode=check_mode)
        assert caught.value.code == "etcd.quorum"
    assert call(kube_remove, node, nodes=["b"], timeout=9) == {"changed": True, "removed": ["b"]}
    assert fake.names() == "ac"


def test_a_node_leaves_where_etcd_is_not_the_clusters_own(node, monkeypatch):
    monkeypatch.setattr(kube_remove, "gateway", lambda _: pytest.fail("etcd was asked"))
    node.on("get", "nodes", say=known("b"))
    assert call(kube_remove, node, nodes=["b"], timeout=9)["removed"] == ["b"]
