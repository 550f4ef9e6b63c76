"""kubeadm on a control plane of several: joined whole or again, with static pods beside kubeadm's own."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import (
    CONFIG,
    INITIALISED,
    KUBELET,
    MANIFESTS,
    Kubeadm,
    Setup,
)

from tests.unit.kubeadm.node import Node

VIP = f"{MANIFESTS}/kube-vip.yaml"
PLANE = Setup("kind: x", pods={"kube-vip.yaml": "kind: Pod"}, control_plane=True)
WORKER = Setup("kind: x", pods={"kube-vip.yaml": "kind: Pod"})


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_static_pods_are_placed_once_changed_and_taken_away(node):
    kubeadm = Kubeadm(node.host)
    assert kubeadm.place_pods({"kube-vip.yaml": "one"})
    assert node.host.read(VIP) == "one"
    assert node.host.path(VIP).stat().st_mode & 0o777 == 0o600
    assert not kubeadm.place_pods({"kube-vip.yaml": "one"})
    assert kubeadm.place_pods({"kube-vip.yaml": "two", "other.yaml": ""})
    assert node.host.read(VIP) == "two"
    assert kubeadm.place_pods({"kube-vip.yaml": ""})
    assert not node.host.path(VIP).exists()
    assert not kubeadm.place_pods({"kube-vip.yaml": ""})
    assert not kubeadm.place_pods({})


def test_what_would_be_placed_is_told_and_not_done(node):
    kubeadm = Kubeadm(node.host)
    assert kubeadm.place_pods({"kube-vip.yaml": "one"}, dry_run=True)
    assert not node.host.path(VIP).exists()
    kubeadm.place_pods({"kube-vip.yaml": "one"})
    assert not kubeadm.place_pods({"kube-vip.yaml": "one"}, dry_run=True)
    assert kubeadm.place_pods({"kube-vip.yaml": ""}, dry_run=True)
    assert node.host.read(VIP) == "one"


def test_static_pods_are_placed_among_the_manifests_and_nowhere_else(node):
    Kubeadm(node.host).place_pods({"../pki/ca.crt": "x"})
    assert [path.name for path in node.host.path("/etc/kubernetes").rglob("*") if path.is_file()] == ["ca.crt"]
    assert node.host.read(f"{MANIFESTS}/ca.crt") == "x"


def test_a_pod_that_needs_what_init_makes_comes_after_it(node):
    early = []
    node.on("init", say=lambda _: early.append(node.host.path(VIP).exists()) or "")
    Kubeadm(node.host).init(PLANE, timeout=9)
    assert early == [False]
    assert node.host.read(VIP) == "kind: Pod"
    node.on("init", say=Completed(1, "", "error: no"))
    node.host.path(VIP).unlink()
    with pytest.raises(OhmykubeError):
        Kubeadm(node.host).init(PLANE, timeout=9)
    assert not node.host.path(VIP).exists()


def test_a_control_plane_that_has_joined_is_finished_and_a_worker_never_is_one(node):
    Kubeadm(node.host).join(WORKER, timeout=9)
    assert not node.host.path(INITIALISED).exists()
    assert not node.host.path(VIP).exists()
    Kubeadm(node.host).join(PLANE, timeout=9)
    assert node.host.path(INITIALISED).exists()
    assert node.host.read(VIP) == "kind: Pod"
    assert not node.host.path(CONFIG).exists()  # it holds the token, and the key to the authorities' keys


def test_a_control_plane_that_could_not_join_is_not_finished(node):
    node.on("join", say=Completed(1, "", "error execution phase control-plane-join"))
    with pytest.raises(OhmykubeError, match="control-plane-join"):
        Kubeadm(node.host).join(PLANE, timeout=9)
    assert not node.host.path(INITIALISED).exists()
    assert not node.host.path(VIP).exists()


def test_half_a_control_plane_joins_again_though_the_cluster_knows_its_node(node):
    node.write(KUBELET)
    node.on("get", "node", say="node/cp2")
    kubeadm = Kubeadm(node.host)
    assert kubeadm.needs_join("cp2", control_plane=True, timeout=0)
    assert node.calls == []
    assert not kubeadm.needs_join("cp2", timeout=0)  # for a worker this is enough
    node.write(INITIALISED)
    assert not kubeadm.needs_join("cp2", control_plane=True, timeout=0)


def test_one_that_the_cluster_has_forgotten_is_unfinished_again_until_it_has_joined(node):
    """Else whoever is killed between the two leaves half a control plane that counts as a whole one."""
    node.write(KUBELET)
    node.write(INITIALISED)
    node.on("get", "node", say=Completed(1, "", 'nodes "cp2" not found'))
    kubeadm = Kubeadm(node.host)
    assert kubeadm.needs_join("cp2", control_plane=True, timeout=0)
    node.on("reset", say=lambda _: Completed(int(kubeadm.initialised()), "", "error: still taken for finished"))
    node.on("join", say=Completed(1, "", "error: killed"))
    with pytest.raises(OhmykubeError, match="killed"):
        kubeadm.join(PLANE, timeout=9)
    node.on("get", "node", say="node/cp2")  # the kubelet had told the cluster by then
    assert kubeadm.needs_join("cp2", control_plane=True, timeout=0)
