"""Nodes that leave: what stays as it was where they cannot, and what is said then."""

import json
from dataclasses import replace

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.draining import Removal, remove
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl

from tests.unit.kubeadm.etcds import FakeEtcd, address
from tests.unit.kubeadm.node import Node

BUDGET = (
    'error when evicting pods/"web-1" -n "shop" (will retry after 5s): '
    "Cannot evict pod as it would violate the pod's disruption budget."
)


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path)
    made.on("get", "nodes", say=items(known("w1"), known("w2", unschedulable=True)))
    made.on("get", "persistentvolumes", say=items())
    return made


def items(*objects):
    return json.dumps({"items": objects})


def known(name, *, unschedulable=False):
    return {"metadata": {"name": name}, "spec": {"unschedulable": True} if unschedulable else {}}


def volume(phase, *hosts):
    match = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(hosts)}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [match]}]}} if hosts else {}
    spec = {"claimRef": {"namespace": "shop", "name": "data"}, "nodeAffinity": affinity}
    return {"metadata": {"name": "pv"}, "spec": spec, "status": {"phase": phase}}


def pod(name, *owners):
    return {
        "metadata": {"namespace": "shop", "name": name, "ownerReferences": [{"kind": owner} for owner in owners]},
    }


def removal(*nodes, dead=(), force=False):
    return Removal(nodes, dead, force, timeout=7)


def test_known_nodes_are_emptied_and_their_objects_deleted(node):
    assert remove(Kubectl(node.host), removal("w1", "gone"), dry_run=False) == ["w1"]
    (drain,) = node.called("drain")
    assert "w1" in drain
    assert "--timeout=7s" in drain
    assert "--force" not in drain
    (delete,) = node.called("delete", "nodes")
    assert delete[-1] == "w1"


def test_nothing_is_done_where_nothing_is_there_or_only_asked(node):
    assert remove(Kubectl(node.host), removal("gone"), dry_run=False) == []
    assert remove(Kubectl(node.host), removal("w1"), dry_run=True) == ["w1"]
    assert not node.called("drain") + node.called("delete")


def test_nobody_waits_for_pods_of_a_machine_that_does_not_run(node):
    remove(Kubectl(node.host), removal("w1", "w2", dead=("w2",)), dry_run=False)
    living, dead = node.called("drain")
    assert ("w1" in living, "w2" in living) == (True, False)
    assert "--skip-wait-for-delete-timeout=1" in dead
    assert "--skip-wait-for-delete-timeout=1" not in living


def test_what_holds_a_node_is_named_and_it_takes_pods_again(node):
    node.on("drain", say=Completed(1, "", BUDGET))
    left = [pod("web-1", "ReplicaSet"), pod("slow", "Job"), pod("bare"), pod("proxy", "DaemonSet"), pod("etcd", "Node")]
    node.on("get", "pods", say=items(*left))
    with pytest.raises(OhmykubeError) as caught:
        remove(Kubectl(node.host), removal("w1", "w2"), dry_run=False)
    assert caught.value.code == "node.not-drained"
    assert "shop/web-1 (a disruption budget holds it); shop/slow" in caught.value.message
    assert "shop/bare (nothing would make it anew)" in caught.value.message
    assert "proxy" not in caught.value.message
    assert [call[-1] for call in node.called("uncordon")] == ["w1"]  # w2 took none before
    assert not node.called("delete", "nodes")


def test_a_node_that_goes_meanwhile_is_gone(node):
    """The verb was killed, its module on the control plane was not."""
    said = iter([items(known("w1")), items()])
    node.on("get", "nodes", say=lambda _: next(said))
    node.on("drain", say=Completed(1, "", 'Error from server (NotFound): nodes "w1" not found'))
    assert remove(Kubectl(node.host), removal("w1"), dry_run=False) == ["w1"]


@pytest.mark.parametrize(("phase", "hosts", "lost"), [("Bound", ("w1",), True), ("Released", ("w1",), False)])
def test_volumes_on_the_nodes_disk_are_not_lost_unasked(node, phase, hosts, lost):
    node.on("get", "persistentvolumes", say=items(volume(phase, *hosts), volume("Bound", "other"), volume("Bound")))
    if not lost:
        assert remove(Kubectl(node.host), removal("w1"), dry_run=False) == ["w1"]
        return
    with pytest.raises(OhmykubeError, match="shop/data on w1") as caught:
        remove(Kubectl(node.host), removal("w1"), dry_run=False)
    assert caught.value.code == "node.volumes"
    assert not node.called("drain")


def test_force_takes_it_all_the_same(node):
    node.on("drain", say=Completed(1, "", BUDGET))
    node.on("get", "persistentvolumes", say=items(volume("Bound", "w1")))
    assert remove(Kubectl(node.host), removal("w1", force=True), dry_run=False) == ["w1"]
    assert "--force" in node.called("drain")[0]


@pytest.fixture
def planes(node):
    return node.on("get", "nodes", say=items(*map(known, "abc")))


def test_what_would_lose_etcds_quorum_is_refused_before_anything_is_touched(planes):
    fake = FakeEtcd("abc", dead="b")
    with pytest.raises(OhmykubeError) as caught:
        remove(Kubectl(planes.host), removal("c"), Etcd(fake.ask), dry_run=False)
    assert caught.value.code == "etcd.quorum"
    assert planes.calls == []
    assert fake.names() == "abc"


def test_a_member_leaves_when_its_node_is_empty_and_before_its_node_is_forgotten(planes):
    fake, there = FakeEtcd("abc"), {}
    for verb in ("drain", "delete"):
        planes.on(verb, say=lambda call: there.update({call[6]: fake.names()}) or "")
    assert remove(Kubectl(planes.host), removal("b"), Etcd(fake.ask), dry_run=False) == ["b"]
    assert there == {"drain": "abc", "delete": "ac"}


def test_a_control_plane_that_cannot_be_emptied_stays_a_member(planes):
    fake = FakeEtcd("abc")
    planes.on("drain", say=Completed(1, "", BUDGET)).on("get", "pods", say=items())
    with pytest.raises(OhmykubeError, match="could not be emptied"):
        remove(Kubectl(planes.host), removal("b"), Etcd(fake.ask), dry_run=False)
    assert fake.names() == "abc"


def test_asking_what_would_go_takes_no_member_out(planes):
    fake = FakeEtcd("abc")
    assert remove(Kubectl(planes.host), removal("b"), Etcd(fake.ask), dry_run=True) == ["b"]
    assert fake.names() == "abc"


def test_a_member_without_a_node_goes_too(planes):
    """Who was killed here had deleted the node, or it never came to have one."""
    fake = FakeEtcd("abcd")
    assert remove(Kubectl(planes.host), removal("d"), Etcd(fake.ask), dry_run=False) == ["d"]
    assert fake.names() == "abc"
    assert not planes.called("drain") + planes.called("delete")


def test_a_member_that_never_began_is_known_by_its_address(planes):
    fake = FakeEtcd("abcd", nameless="d")
    one = replace(removal("dev-d"), addresses=[address("d")])
    assert remove(Kubectl(planes.host), one, Etcd(fake.ask), dry_run=False) == [f"https://{address('d')}:2380"]
    assert fake.names() == "abc"


def test_force_takes_a_member_however_few_are_left(planes):
    fake = FakeEtcd("abc", dead="b")
    assert remove(Kubectl(planes.host), removal("c", force=True), Etcd(fake.ask), dry_run=False) == ["c"]
    assert fake.names() == "ab"


def test_an_etcd_that_chooses_a_leader_just_now_is_asked_again(planes):
    """The leader may be the one that leaves."""
    fake, said = FakeEtcd("abc"), []

    def ask(path, body, url=""):
        if path == "cluster/member/remove" and not said:
            said.append(path)
            raise OhmykubeError("etcd.failed", "no", context={"output": "etcdserver: leader changed"})
        return fake.ask(path, body, url)

    remove(Kubectl(planes.host), removal("b"), Etcd(ask), dry_run=False)
    assert (fake.names(), len(said)) == ("ac", 1)
