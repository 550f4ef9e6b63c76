"""What kubeadm is given on a node, and what a user's documents may not say."""

import dataclasses
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.filter.kubeadm_documents import render
from ansible_collections.ohmykube.cluster.plugins.filter.kubeadm_patches import checked
from ansible_collections.ohmykube.cluster.plugins.module_utils import places
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, each
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import enforced, layers
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.user import User, of_file

import ohmykube

ROLE = Path(ohmykube.COLLECTIONS) / "ansible_collections/ohmykube/cluster/roles/kubeadm"
NODE = enforced.Node(
    name="dev-control-plane-1",
    address="10.0.0.2",
    control_plane=True,
    tainted=True,
    cluster_name="dev",
    version="v1.36.4",
    endpoint="dev.ohmykube.internal:6443",
    pod_cidr="10.244.0.0/16",
    service_cidr="10.96.0.0/12",
    proxy_mode="nftables",
    swap=False,
)
WORKER = dataclasses.replace(NODE, name="dev-worker-1", address="10.0.0.3", control_plane=False)
JOINING = enforced.Joining("abcdef.0123456789abcdef", "sha256:1", "ab" * 32)
API = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: "
INIT, CLUSTER, JOIN = f"{API}InitConfiguration\n", f"{API}ClusterConfiguration\n", f"{API}JoinConfiguration\n"
KUBELET = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def own(text=""):
    return of_file(places.read(text, "own.yaml"))


def by_kind(documents):
    return {document["kind"]: document for document in documents}


def init(text="", **changed):
    return by_kind(layers.init(dataclasses.replace(NODE, **changed), own(text)))


def join(text="", node=WORKER):
    return layers.join(node, own(text), JOINING)[0]


def test_ours_alone():
    made = init()
    assert list(made) == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]
    registration = made["InitConfiguration"]["nodeRegistration"]
    assert registration["name"] == "dev-control-plane-1"
    assert registration["kubeletExtraArgs"] == [{"name": "node-ip", "value": "10.0.0.2"}]
    assert "taints" not in registration
    assert made["ClusterConfiguration"]["apiServer"]["certSANs"][:2] == ["10.0.0.2", "dev.ohmykube.internal"]
    assert made["KubeletConfiguration"]["failSwapOn"] is True
    assert made["KubeletConfiguration"]["memorySwap"] == {"swapBehavior": "NoSwap"}
    assert made["KubeProxyConfiguration"]["mode"] == "nftables"


BOTH = {"pod_cidr": "10.244.0.0/16,fd01::/56", "service_cidr": "10.96.0.0/12,fd02::/112"}


def test_both_families():
    made = init(**BOTH, second_address="fd00::2")
    assert made["ClusterConfiguration"]["networking"] == {
        "podSubnet": BOTH["pod_cidr"],
        "serviceSubnet": BOTH["service_cidr"],
    }
    arguments = made["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    assert arguments == [{"name": "node-ip", "value": "10.0.0.2,fd00::2"}]
    assert made["InitConfiguration"]["localAPIEndpoint"]["advertiseAddress"] == "10.0.0.2"
    assert made["ClusterConfiguration"]["apiServer"]["certSANs"][:2] == ["10.0.0.2", "fd00::2"]


def test_a_second_address_is_of_no_use_to_a_cluster_of_one_family():
    assert init(second_address="fd00::2") == init()


@pytest.mark.parametrize("joining", [None, JOINING])
def test_a_node_of_one_family_cannot_serve_both(joining):
    (problem,) = layers.problems(dataclasses.replace(NODE, **BOTH), own(), joining)
    assert problem.code == "kubeadm.one-family"
    assert "dev-control-plane-1 itself has none" in problem.message


def test_a_worker_and_a_control_plane_join():
    worker = join()
    assert worker["discovery"]["bootstrapToken"]["token"] == JOINING.token
    assert "controlPlane" not in worker
    plane = join(node=dataclasses.replace(NODE, name="dev-control-plane-2", address="10.0.0.4"))
    assert plane["controlPlane"] == {
        "localAPIEndpoint": {"advertiseAddress": "10.0.0.4"},
        "certificateKey": JOINING.certificate_key,
    }


def test_a_node_alone_takes_workloads_unless_the_user_says_otherwise():
    assert init(tainted=False)["InitConfiguration"]["nodeRegistration"]["taints"] == []
    text = f"{INIT}nodeRegistration: {{taints: [{{key: a, effect: NoSchedule}}]}}\n"
    assert init(text, tainted=False)["InitConfiguration"]["nodeRegistration"]["taints"][0]["key"] == "a"


@pytest.mark.parametrize("mode", ["nftables", "iptables", "ipvs"])
def test_the_proxy_mode_is_always_said(mode):
    assert init(proxy_mode=mode)["KubeProxyConfiguration"]["mode"] == mode
    text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    assert init(f"{text}mode: {mode}\n")["KubeProxyConfiguration"]["mode"] == mode
    assert init(f"{text}ipvs: {{}}\n", proxy_mode=mode)["KubeProxyConfiguration"]["mode"] == mode


def test_in_mode_ipvs_nobody_answers_for_addresses_that_others_announce():
    """MetalLB and kube-vip need that; the user may still say otherwise."""
    text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
    assert init(proxy_mode="ipvs")["KubeProxyConfiguration"]["ipvs"] == {"strictARP": True}
    own = init(f"{text}mode: ipvs\nipvs: {{scheduler: lc}}\n")["KubeProxyConfiguration"]
    assert own["ipvs"] == {"strictARP": True, "scheduler": "lc"}
    own = init(f"{text}ipvs: {{strictARP: false}}\n", proxy_mode="ipvs")["KubeProxyConfiguration"]
    assert own["ipvs"] == {"strictARP": False}
    assert "ipvs" not in init(f"{text}mode: iptables\n", proxy_mode="ipvs")["KubeProxyConfiguration"]
    assert "ipvs" not in init()["KubeProxyConfiguration"]


def test_without_kube_proxy_nothing_is_said_to_it():
    made = init(proxy_mode="none")
    assert "KubeProxyConfiguration" not in made
    assert made["ClusterConfiguration"]["proxy"] == {"disabled": True}
    assert "proxy" not in init()["ClusterConfiguration"]
    text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: iptables\n"
    with pytest.raises(OhmykubeError) as caught:
        init(text, proxy_mode="none")
    assert caught.value.message == "KubeProxyConfiguration: cannot be used: there is no kube-proxy (own.yaml:1)"
    with pytest.raises(OhmykubeError) as caught:
        init(f"{CLUSTER}proxy: {{disabled: false}}\n", proxy_mode="none")
    assert "ClusterConfiguration.proxy.disabled: cannot be False: it must be True" in caught.value.message
    assert "spec.network.proxyMode" in caught.value.hint


def test_feature_gates_of_everything_that_has_some():
    text = (
        f"{CLUSTER}featureGates: {{A: true}}\n"
        "apiServer: {extraArgs: [{name: feature-gates, value: 'B=true,C=false'}]}\n"
        f"---\n{KUBELET}featureGates: {{D: true}}\n"
        "---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nfeatureGates: {E: false}\n"
    )
    made = init(text)
    assert made["ClusterConfiguration"]["featureGates"] == {"A": True}
    assert made["ClusterConfiguration"]["apiServer"]["extraArgs"] == [
        {"name": "feature-gates", "value": "B=true,C=false"}
    ]
    assert made["KubeletConfiguration"]["featureGates"] == {"D": True}
    assert made["KubeProxyConfiguration"]["featureGates"] == {"E": False}


def test_swap_needs_no_gate():
    kubelet = init(swap=True)["KubeletConfiguration"]
    assert kubelet["failSwapOn"] is False
    assert kubelet["memorySwap"] == {"swapBehavior": "LimitedSwap"}
    assert "featureGates" not in kubelet
    text = f"{KUBELET}memorySwap: {{swapBehavior: NoSwap}}\n"  # swap for the system alone
    assert init(text, swap=True)["KubeletConfiguration"]["memorySwap"] == {"swapBehavior": "NoSwap"}


def test_a_providers_documents_lie_below_the_users():
    provider = [yaml.safe_load(f"{KUBELET}cgroupDriver: cgroupfs\nmaxPods: 1\n")]
    kubelet = init(f"{KUBELET}maxPods: 2\n", provider_config=tuple(provider))["KubeletConfiguration"]
    assert (kubelet["cgroupDriver"], kubelet["maxPods"]) == ("cgroupfs", 2)


@pytest.mark.parametrize(
    ("text", "swap", "line", "words"),
    [
        (f"{INIT}nodeRegistration: {{name: x}}\n", False, 3, "InitConfiguration.nodeRegistration.name: cannot be set"),
        (f"{INIT}localAPIEndpoint:\n  advertiseAddress: 1.1.1.1\n", False, 4, "each node is given its own"),
        (f"{INIT}nodeRegistration: {{criSocket: 'unix:///run/crio.sock'}}\n", False, 3, "it must be 'unix:///run/con"),
        (
            f"{INIT}nodeRegistration:\n  kubeletExtraArgs:\n  - {{name: v}}\n  - name: node-ip\n    value: '1'\n",
            False,
            6,
            "kubeletExtraArgs.node-ip: cannot be set",
        ),
        (f"{INIT}patches: {{directory: /mine}}\n", False, 3, "spec.kubeadm.patches"),
        (f"{CLUSTER}kubernetesVersion: v1.35.0\n", False, 3, "cannot be 'v1.35.0': it must be 'v1.36.4'"),
        (f"{CLUSTER}clusterName: other\n", False, 3, "metadata.name"),
        (f"{CLUSTER}controlPlaneEndpoint: other:6443\n", False, 3, "it must be 'dev.ohmykube.internal:6443'"),
        (f"{CLUSTER}certificatesDir: /pki\n", False, 3, "/etc/kubernetes/pki"),
        (f"{CLUSTER}networking:\n  dnsDomain: x.y\n  podSubnet: 10.9.0.0/16\n", False, 5, "spec.network.podCIDR"),
        (f"{CLUSTER}networking: {{serviceSubnet: 10.9.0.0/16}}\n", False, 3, "spec.network.serviceCIDR"),
        (f"{KUBELET}failSwapOn: true\n", True, 3, "cannot be True: it must be False"),
        (f"{KUBELET}featureGates:\n  NodeSwap: false\n", True, 4, "nodes are to use swap"),
        (
            INIT.replace("v1beta4", "v1beta3") + "nodeRegistration:\n  kubeletExtraArgs:\n    node-ip: '1'\n",
            False,
            5,
            "node-ip",
        ),
    ],
)
def test_a_clash_is_named_with_its_line(text, swap, line, words):
    with pytest.raises(OhmykubeError) as caught:
        init(text, swap=swap)
    (error,) = each(caught.value)
    assert error.code == "kubeadm.enforced"
    assert words in f"{error.message} {error.hint}"
    assert f"(own.yaml:{line})" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "discovery: {bootstrapToken: {token: abcdef.0123456789abcdee}}",
        "discovery: {bootstrapToken: {unsafeSkipCAVerification: true}}",
        "discovery: {file: {kubeConfigPath: /a}}",
        "discovery: {tlsBootstrapToken: abcdef.0123456789abcdef}",
        "nodeRegistration: {name: x}",
    ],
)
def test_how_a_node_joins_is_nobody_elses_affair_and_no_secret_is_told(text):
    with pytest.raises(OhmykubeError, match="each node is given its own") as caught:
        join(f"{JOIN}{text}\n")
    assert "abcdef" not in str(caught.value)


def test_what_says_the_same_is_no_clash():
    text = f"{CLUSTER}kubernetesVersion: 1.36.4\nnetworking: {{podSubnet: 10.244.0.0/16, dnsDomain: x.y}}\n"
    text += f"---\n{INIT}nodeRegistration: {{criSocket: 'unix:///var/run/containerd/containerd.sock', name: null}}\n"
    made = init(text)
    assert made["ClusterConfiguration"]["kubernetesVersion"] == "v1.36.4"
    assert made["ClusterConfiguration"]["networking"]["dnsDomain"] == "x.y"


def test_what_is_for_control_planes_makes_none_of_a_worker():
    text = f"{JOIN}controlPlane: {{localAPIEndpoint: {{bindPort: 7443}}}}\n"
    assert "controlPlane" not in join(text)
    assert join(text, NODE)["controlPlane"]["localAPIEndpoint"] == {"bindPort": 7443, "advertiseAddress": "10.0.0.2"}


def test_every_problem_is_told_before_anything_is_merged():
    with pytest.raises(OhmykubeError) as caught:
        init(f"{CLUSTER}clusterName: x\napiServer: 3\n---\nkind: Pod\n", provider_config=({"kind": "Pod"},))
    assert len(each(caught.value)) == 4


def test_the_role_gives_what_the_code_takes():
    """The filter's arguments are dictionaries in the role's variables."""
    said = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    assert said["__kubeadm_node"].keys() == {field.name for field in dataclasses.fields(enforced.Node)}
    assert said["__kubeadm_ticket"].keys() == {field.name for field in dataclasses.fields(enforced.Joining)}
    assert checked(said["__kubeadm_patches"]) == said["__kubeadm_patches"]


def test_the_filters_tell_all_in_one_message():
    from ansible.errors import AnsibleFilterError

    node = {**dataclasses.asdict(NODE), "sans": ["a"], "provider_config": []}
    assert "- a\n" in render([], node)
    assert "certificateKey" in render([], node, dataclasses.asdict(JOINING))
    with pytest.raises(AnsibleFilterError) as caught:
        render([{"kind": "X"}, yaml.safe_load(f"{CLUSTER}clusterName: x")], node)
    assert "document 1 of kubeadm_config" in str(caught.value)
    assert "clusterName" in str(caught.value)
    with pytest.raises(AnsibleFilterError, match="is no name of a patch"):
        checked({"x": ""})


def test_no_user_is_no_problem():
    assert layers.problems(NODE, User()) == []
