"""A node that came back with another address: what has the old one is put right, and nothing else."""

import json

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import moving
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd, gateway
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl

from tests.unit.kubeadm.etcds import FakeEtcd, address
from tests.unit.kubeadm.node import Node

OLD, NEW = "10.0.0.2", "10.0.0.31"
FLAGS = f'KUBELET_KUBEADM_ARGS="--node-ip={OLD} --pod-infra-container-image=pause"\n'
MANIFEST = f"- --advertise-address={OLD}\n- --listen=https://{OLD}:2379,https://127.0.0.1:2379\n- other={OLD}5\n"
KUBECONFIG = f"server: https://{OLD}:6443\n"


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path)
    made.write(moving.FLAGS, FLAGS)
    return made


def plane(node):
    node.write("/etc/kubernetes/manifests/etcd.yaml", MANIFEST)
    node.write("/etc/kubernetes/kubelet.conf", KUBECONFIG)
    for name in ("apiserver", "etcd/server", "etcd/peer", "ca"):
        node.write(f"/etc/kubernetes/pki/{name}.crt", OLD)
        node.write(f"/etc/kubernetes/pki/{name}.key")
    return node


def test_a_node_knows_by_its_kubelet_where_it_was_made(node):
    assert moving.old_address(node.host, NEW) == OLD
    assert moving.old_address(node.host, OLD) == ""
    assert moving.old_address(node.host, "") == ""
    node.write(moving.FLAGS, "KUBELET_KUBEADM_ARGS=\n")
    assert moving.old_address(node.host, NEW) == ""


def test_a_worker_tells_its_kubelet(node):
    moving.move_worker(node.host, OLD, NEW)
    assert node.host.read(moving.FLAGS) == FLAGS.replace(OLD, NEW)
    assert node.called("systemctl", "restart", "kubelet")


def test_a_node_of_both_families_has_two_addresses(node):
    both, moved = f"{OLD},fd00::2", f"{NEW},fd00::3"
    node.write(moving.FLAGS, FLAGS.replace(OLD, both))
    assert moving.old_address(node.host, moved) == both
    assert moving.old_address(node.host, both) == ""
    moving.move_worker(node.host, both, moved)
    assert node.host.read(moving.FLAGS) == FLAGS.replace(OLD, moved)


def test_a_control_plane_gets_manifests_kubeconfigs_and_certificates(node):
    plane(node).on("crictl", "ps", "--name=^kube-scheduler$", say="abc\n")
    moving.move_control_plane(node.host, Kubeadm(node.host), "kind: x", OLD, NEW)
    assert [call[-1] for call in node.called("crictl", "stop")] == ["abc"]
    manifest = node.host.read("/etc/kubernetes/manifests/etcd.yaml")
    assert manifest == MANIFEST.replace(f"{OLD}\n-", f"{NEW}\n-").replace(
        f"{OLD}:", f"{NEW}:"
    )  # and not that of another
    assert node.host.read("/etc/kubernetes/kubelet.conf") == KUBECONFIG.replace(OLD, NEW)
    assert [call[6] for call in node.called("kubeadm", "certs")] == ["apiserver", "etcd-server", "etcd-peer"]
    left = sorted(file.name for file in node.host.path("/etc/kubernetes/pki").rglob("*.crt"))
    assert left == ["ca.crt"]  # kubeadm makes the others, here only in name


def test_who_is_killed_before_the_end_is_followed_by_one_who_finishes(node):
    plane(node)
    kubeadm = Kubeadm(node.host)

    def die(call):
        raise KeyboardInterrupt

    node.on("certs", "etcd-peer", say=die)
    with pytest.raises(KeyboardInterrupt):
        moving.move_control_plane(node.host, kubeadm, "kind: x", OLD, NEW)
    assert moving.old_address(node.host, NEW) == OLD
    node.on("certs", "etcd-peer", say="")
    moving.move_control_plane(node.host, kubeadm, "kind: x", OLD, NEW)
    assert OLD not in node.host.read(moving.FLAGS)


def test_etcd_learns_where_its_member_is(node):
    plane(node)
    kubeadm = Kubeadm(node.host)
    moving.move_control_plane(node.host, kubeadm, "kind: x", OLD, NEW)
    assert moving.old_address(node.host, NEW) == OLD  # the cluster does not know yet
    asked = []

    def ask(path, body, url=""):
        asked.append((path, body))
        here, other = {"ID": "255", "peerURLs": [f"https://{OLD}:2380"]}, {"ID": "16", "peerURLs": ["https://10.0.0.9"]}
        return {"members": [here, other]}

    moving.tell_cluster(kubeadm)
    assert node.called("upload-config", "kubeadm")
    moving.tell_etcd(Etcd(ask), OLD, NEW)
    assert asked == [
        ("cluster/member/list", {}),
        ("cluster/member/update", {"ID": "255", "peerURLs": [f"https://{NEW}:2380"]}),
    ]
    assert moving.old_address(node.host, NEW) == OLD  # nor does kube-proxy


def test_kube_proxy_starts_anew_when_the_api_server_knows_and_then_there_is_nothing_left_to_do(node):
    moving.move_worker(node.host, OLD, NEW)
    said = iter([OLD, NEW])
    node.on("get", "node", say=lambda _: json.dumps({"status": {"addresses": [{"address": next(said)}]}}))
    node.on("crictl", "ps", "--name=^kube-proxy$", say="abc\n")
    assert moving.old_address(node.host, NEW) == OLD
    moving.settle(node.host, Kubectl(node.host), "w1", NEW)
    assert [call[-1] for call in node.called("crictl", "stop")] == ["abc"]
    assert moving.old_address(node.host, NEW) == ""


@pytest.mark.parametrize(
    ("planes", "moved", "refused"),
    [
        ("a", "a", ""),
        ("abc", "", ""),
        ("abc", "b", ""),
        ("abc", "xyz", ""),
        ("abcde", "ae", ""),
        ("ab", "b", "1 of 2"),
        ("abc", "ac", "2 of 3"),
        ("abc", "abc", "3 of 3"),
        ("abcde", "ace", "3 of 5"),
    ],
)
def test_most_control_planes_of_several_may_not_move(planes, moved, refused):
    if not refused:
        moving.refuse_most(list(planes), list(moved))
        return
    with pytest.raises(OhmykubeError) as caught:
        moving.refuse_most(list(planes), [*moved, "worker-1"])
    assert caught.value.code == "kubeadm.moved"
    words = f"{refused} control planes have other addresses than before ({', '.join(moved)}); etcd needs "
    assert caught.value.message.startswith(words + str(len(planes) // 2 + 1))
    assert "old addresses back" in caught.value.hint


@pytest.mark.parametrize(
    ("members", "ill", "words"),
    [
        ("abc", "b", ""),
        ("abc", "bc", "of etcd's 3 members 1 work elsewhere; it needs 2"),
        ("ab", "b", "of etcd's 2 members 1 work elsewhere; it needs 2"),
        ("abc", "abc", "of etcd's 3 members 0 work elsewhere; it needs 2"),
        ("abcde", "bd", ""),
        ("abcde", "bde", "of etcd's 5 members 2 work elsewhere; it needs 3"),
    ],
)
def test_the_others_are_told_where_a_member_is_now_if_they_are_enough(members, ill, words):
    fake = FakeEtcd(members, dead=ill)
    before = fake.peers()
    others = [address(name) for name in members if name != "b"]
    if words:
        with pytest.raises(OhmykubeError, match=f"moved from {address('b')} to {NEW}, and {words}") as caught:
            moving.tell_others(Etcd(fake.ask), others, address("b"), NEW)
        assert caught.value.code == "kubeadm.moved"
        assert fake.peers() == before
        return
    for _ in range(2):  # whoever was killed tells it again
        moving.tell_others(Etcd(fake.ask), others, address("b"), NEW)
        assert fake.peers() == {**before, "b": [f"https://{NEW}:2380"]}


def test_an_etcd_that_does_not_answer_is_an_error_with_a_hint(node):
    with pytest.raises(OhmykubeError) as caught:
        Etcd(gateway(node.host)).members()
    assert caught.value.code == "etcd.failed"
    assert "crictl" in caught.value.hint
