"""The user's own documents: every problem with its line, and what v1beta3 says in the words of v1beta4."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import places
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.user import of_file, of_list

INIT = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
CLUSTER = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
JOIN = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"
KUBELET = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
PROXY = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


def old(text):
    return text.replace("v1beta4", "v1beta3")


def read(text):
    return of_file(places.read(text, "own.yaml"))


def said(text):
    user = read(text)
    assert all(error.exit_code == 2 and error.hint and error.context["origin"] for error in user.problems)
    return [f"{error.message} | {error.hint}" for error in user.problems]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- 1\n", 1, "is no mapping"),
        ("3\n", 1, "is no mapping"),
        ("kind: InitConfiguration\n", 1, "InitConfiguration.apiVersion: is missing"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\n", 1, "kind: is missing"),
        ("apiVersion: 1\nkind: InitConfiguration\n", 1, "apiVersion: must be text"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: [a]\n", 2, "kind: must be text"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfig\n", 2, "did you mean 'InitConfiguration'?"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: Pod\n", 2, "known: ClusterConfiguration"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\n", 2, "is no kind that kubeadm is given"),
        ("apiVersion: v1\nkind: Pod\n", 1, "unknown group 'v1'"),
        ("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n", 1, "unknown group"),
        ("apiVersion: kubeadm.k8s.io/v1\nkind: InitConfiguration\n", 1, "write apiVersion: kubeadm.k8s.io/v1beta4"),
        ("apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n", 1, "kubeadm 1.22 to 1.26 migrates it"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\nkind: KubeletConfiguration\n", 1, "write apiVersion: kubelet.config"),
        ("apiVersion: kubeadm.k8s.io/v1beta3\nkind: KubeletConfiguration\n", 1, "write apiVersion: kubelet.config"),
        (f"{KUBELET}---\n{KUBELET}", 4, "stands twice, first at own.yaml:2"),
        (f"{CLUSTER}---\n{old(CLUSTER)}", 4, "stands twice, first at own.yaml:2"),
        # fields
        (f"{CLUSTER}apiSever: {{}}\n", 3, "ClusterConfiguration.apiSever: is no field | did you mean 'apiServer'?"),
        (f"{CLUSTER}apiServer:\n  certSans: [a]\n", 4, "did you mean 'certSANs'?"),
        (f"{CLUSTER}apiServer: 3\n", 3, "apiServer: must be a mapping"),
        (f"{CLUSTER}apiServer:\n  certSANs: a\n", 4, "certSANs: must be a list"),
        (f"{CLUSTER}apiServer:\n  certSANs:\n  - a\n  - 3\n", 6, "certSANs.1: must be text"),
        (f"{CLUSTER}apiServer:\n  extraArgs: {{v: '4'}}\n", 4, "extraArgs: must be a list"),
        (f"{CLUSTER}apiServer:\n  extraArgs: [v]\n", 4, "a list of mappings, each with a name"),
        (f"{CLUSTER}apiServer:\n  extraArgs: [{{value: a}}]\n", 4, "a list of mappings, each with a name"),
        (
            f"{CLUSTER}scheduler:\n  extraArgs:\n  - name: v\n    value: 4\n",
            6,
            "scheduler.extraArgs.v.value: must be text",
        ),
        (
            f"{CLUSTER}scheduler:\n  extraVolumes:\n  - name: v\n    readOnly: maybe\n",
            6,
            "readOnly: must be true or false",
        ),
        (f"{CLUSTER}kubernetesVersion: 1.36\n", 3, "kubernetesVersion: must be text"),
        (f"{CLUSTER}featureGates:\n  A: 'true'\n", 4, "featureGates.A: must be true or false"),
        (f"{INIT}localAPIEndpoint:\n  bindPort: '6443'\n", 4, "bindPort: must be a number"),
        (f"{INIT}localAPIEndpoint:\n  bindPort: true\n", 4, "bindPort: must be a number"),
        (f"{INIT}timeouts:\n  discovery: 5\n", 4, "discovery: must be text"),
        (f"{JOIN}nodeRegistration:\n  taints:\n  - key: a\n  - b\n", 6, "taints.1: must be a mapping"),
        (f"{KUBELET}failSwapOn: 1\n", 3, "failSwapOn: must be true or false"),
        (f"{KUBELET}memorySwap:\n  swapBehavior: UnlimitedSwap\n", 4, "one of: NoSwap, LimitedSwap"),
        (f"{PROXY}mode: quick\n", 3, "one of: nftables, iptables, ipvs"),
        # v1beta3
        (old(f"{INIT}timeouts: {{}}\n"), 3, "timeouts: is a field of v1beta4"),
        (old(f"{JOIN}nodeRegistration:\n  imagePullSerial: false\n"), 4, "imagePullSerial: is a field of v1beta4"),
        (old(f"{CLUSTER}apiServer:\n  extraEnvs: []\n"), 4, "apiServer.extraEnvs: is a field of v1beta4"),
        (old(f"{CLUSTER}dns:\n  disabled: true\n"), 4, "dns.disabled: is a field of v1beta4"),
        (old(f"{CLUSTER}etcd:\n  local:\n    extraArgs: [{{name: a}}]\n"), 5, "is a mapping of flags in v1beta3"),
        (old(f"{INIT}nodeRegistration:\n  kubeletExtraArgs: v\n"), 4, "is a mapping of flags in v1beta3"),
        (old(f"{CLUSTER}scheduler:\n  extraArgs:\n    v: 4\n"), 5, "scheduler.extraArgs.v.value: must be text"),
        (old(f"{CLUSTER}apiServer:\n  timeoutForControlPlane: 4\n"), 4, "must be text, like 4m0s"),
        (old(f"{CLUSTER}dns:\n  type: CoreDNS\n"), 4, "dns.type: is no field"),  # of v1beta2
        (old(f"{CLUSTER}useHyperKubeImage: true\n"), 3, "useHyperKubeImage: is no field"),
    ],
)
def test_a_problem_has_its_line_and_its_path(text, line, words):
    (found,) = said(text)
    for part in words.split(" | "):
        assert part in found
    assert f"(own.yaml:{line})" in found


def test_all_problems_are_told_at_once_and_empty_documents_are_fine():
    found = said(f"---\n---\n{CLUSTER}apiServer: 3\nscheduler: 4\n---\nkind: X\n---\n{KUBELET}failSwapOn: 7\n---\n")
    assert len(found) == 4
    assert read("").documents == {}


def test_a_field_that_a_later_kubernetes_may_have_is_a_note():
    user = read(f"{CLUSTER}etcd:\n  local:\n    quorumHints: 3\n")
    assert user.problems == []
    assert "etcd.local.quorumHints" in user.notes[0]
    assert "own.yaml:5" in user.notes[0]
    assert user.documents["ClusterConfiguration"]["etcd"] == {"local": {"quorumHints": 3}}


def test_documents_without_a_file_are_called_by_their_number():
    user = of_list([{"apiVersion": "v1", "kind": "Pod"}, None, 3], "kubeadm_config")
    assert [error.context["origin"] for error in user.problems] == [
        "document 1 of kubeadm_config",
        "document 3 of kubeadm_config",
    ]


OLD = old(f"""\
{INIT}nodeRegistration:
  kubeletExtraArgs: {{v: "4", max-pods: "20"}}
---
{CLUSTER}apiServer:
  timeoutForControlPlane: 6m0s
  extraArgs: {{audit-log-maxage: "3"}}
  certSANs: [example.org]
scheduler: {{extraArgs: {{}}}}
etcd: {{local: {{extraArgs: {{quota-backend-bytes: "1"}}}}}}
---
{JOIN}discovery: {{timeout: 7m0s}}
nodeRegistration: {{kubeletExtraArgs: {{v: "5"}}}}
---
""")


def test_v1beta3_is_read_as_v1beta4():
    user = read(OLD + KUBELET + "maxPods: 50\n")
    assert user.problems == []
    assert len(user.notes) == 3
    assert "ClusterConfiguration: v1beta3 is read as v1beta4 (own.yaml:6)" in user.notes
    made = user.documents
    assert {document["apiVersion"] for document in made.values()} == {
        "kubeadm.k8s.io/v1beta4",
        "kubelet.config.k8s.io/v1beta1",
    }
    assert made["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "max-pods", "value": "20"},
        {"name": "v", "value": "4"},
    ]
    assert made["InitConfiguration"]["timeouts"] == {"controlPlaneComponentHealthCheck": "6m0s"}
    cluster = made["ClusterConfiguration"]
    assert cluster["apiServer"] == {
        "extraArgs": [{"name": "audit-log-maxage", "value": "3"}],
        "certSANs": ["example.org"],
    }
    assert cluster["scheduler"] == {"extraArgs": []}
    assert cluster["etcd"]["local"]["extraArgs"] == [{"name": "quota-backend-bytes", "value": "1"}]
    join = made["JoinConfiguration"]
    assert "discovery" not in join
    assert join["timeouts"] == {"controlPlaneComponentHealthCheck": "6m0s", "discovery": "7m0s"}
    assert join["nodeRegistration"]["kubeletExtraArgs"] == [{"name": "v", "value": "5"}]


def test_a_timeout_that_moved_makes_the_documents_where_it_belongs_and_gives_way_there():
    text = old(f"{CLUSTER}apiServer: {{timeoutForControlPlane: 6m}}\n")
    user = read(f"{text}---\n{INIT}timeouts: {{controlPlaneComponentHealthCheck: 9m, discovery: 1m}}\n")
    assert user.documents["InitConfiguration"]["timeouts"] == {
        "controlPlaneComponentHealthCheck": "9m",
        "discovery": "1m",
    }
    assert user.documents["JoinConfiguration"]["timeouts"] == {"controlPlaneComponentHealthCheck": "6m"}
    assert user.written["JoinConfiguration"].place(("timeouts",)) == "own.yaml:1"


def test_migrating_leaves_what_was_given_as_it_was():
    given = [
        {"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": "ClusterConfiguration", "scheduler": {"extraArgs": {"a": "b"}}}
    ]
    of_list(given, "kubeadm_config")
    assert given[0]["scheduler"] == {"extraArgs": {"a": "b"}}
