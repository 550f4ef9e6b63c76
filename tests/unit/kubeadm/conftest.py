"""A control plane in memory, that is to be one and that has been one for long."""

import json

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import INITIALISED, KUBELET

from tests.unit.kubeadm.node import Node
from tests.unit.kubeadm.planes import OWN


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path / "node")
    made.on("show", OWN, say=json.dumps([{"ifname": "eth0"}]))
    return made.on("get", "nodes", say=json.dumps({"items": []}))


@pytest.fixture
def finished(node):
    """A control plane that has been one for long."""
    node.write(INITIALISED)
    node.write(KUBELET)
    proxy = {"metadata": {"name": "kube-proxy"}, "spec": {"template": {"spec": {"hostNetwork": True}}}}
    node.on("get", "daemonsets", "--namespace=kube-system", say=json.dumps({"items": [proxy]}))
    return node
