"""Several control planes: the address that they share, and what a new one is given."""

import json
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import control_planes
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl

from tests.unit.kubeadm.node import Node

SHARED, OWN = "10.0.0.254", "10.0.0.2"


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_the_shared_address_is_held_on_the_interface_of_the_nodes_own(node):
    node.on("show", OWN, say=json.dumps([{}, {"ifname": "eth1"}, {}]))  # so ip tells of those that have it not
    control_planes.take_address(node.host, SHARED, OWN)
    assert node.called("replace") == [["ip", "address", "replace", f"{SHARED}/32", "dev", "eth1"]]


@pytest.mark.parametrize("shown", ["[]", "[{}, {}]"])
def test_a_node_that_has_not_its_own_address_takes_no_other(node, shown):
    node.on("show", OWN, say=shown)
    with pytest.raises(OhmykubeError, match=f"no interface has {OWN}") as caught:
        control_planes.take_address(node.host, SHARED, OWN)
    assert caught.value.code == "node.no-address"
    assert not node.called("replace")


def test_no_second_cluster_is_made_while_another_control_plane_is_out_of_sight():
    control_planes.refuse_another([])
    with pytest.raises(OhmykubeError, match="cp2, cp3 could not be asked") as caught:
        control_planes.refuse_another(["cp2", "cp3"])
    assert caught.value.code == "kubeadm.unseen"


def test_the_authorities_keys_are_kept_under_a_key_that_is_never_an_argument(node):
    documents = []

    def keep(call):
        file = Path(call[-1].removeprefix("--config="))
        assert file.stat().st_mode & 0o777 == 0o600
        documents.append([json.loads(text) for text in file.read_text().split("---\n")])
        return ""

    node.on("kubeadm", "upload-certs", say=keep)
    keys = [control_planes.share_certificates(Kubeadm(node.host), "v1.36.4") for _ in range(2)]
    for key, (init, cluster) in zip(keys, documents, strict=True):
        assert len(bytes.fromhex(key)) == 32  # what kubeadm takes: a key of AES-256
        assert (init["kind"], init["certificateKey"]) == ("InitConfiguration", key)
        assert (cluster["kind"], cluster["kubernetesVersion"]) == ("ClusterConfiguration", "v1.36.4")
        assert not [word for call in node.calls for word in call if key in word]
    assert keys[0] != keys[1]
    words = ["kubeadm", "init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print"]
    assert [call[2:-1] for call in node.calls] == [words] * 2


def test_keys_that_could_not_be_kept_are_no_key(node):
    node.on("upload-certs", say=Completed(1, "", "error: no API server"))
    with pytest.raises(OhmykubeError, match="no API server"):
        control_planes.share_certificates(Kubeadm(node.host), "v1.36.4")


def test_the_authorities_keys_are_withdrawn_whether_there_are_any_or_not(node):
    control_planes.withdraw_certificates(Kubectl(node.host))
    (call,) = node.calls
    assert call[-5:] == ["--namespace=kube-system", "delete", "secret", "kubeadm-certs", "--ignore-not-found"]


def daemonset(name, *, host_network):
    spec = {"hostNetwork": True} if host_network else {}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": spec}}}


def test_pods_that_have_their_nodes_hosts_file_start_anew_and_no_others(node):
    proxy, other = daemonset("kube-proxy", host_network=True), daemonset("other", host_network=False)
    node.on("--namespace=kube-system", "get", say=json.dumps({"items": [proxy, other]}))
    node.on("--namespace=kube-flannel", "get", say=json.dumps(daemonset("flannel", host_network=True)))
    control_planes.renew_host_network(Kubectl(node.host))
    assert [call[-4:] for call in node.called("rollout")] == [
        ["--namespace=kube-system", "rollout", "restart", "daemonset/kube-proxy"],
        ["--namespace=kube-flannel", "rollout", "restart", "daemonset/flannel"],
    ]


def test_a_cluster_without_our_pod_network_has_less_to_start_anew(node):
    node.on("get", "daemonsets", say="")
    control_planes.renew_host_network(Kubectl(node.host))
    assert not node.called("rollout")
