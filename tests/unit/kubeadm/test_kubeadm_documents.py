"""How kubeadm's documents merge: defaults < provider < user < enforced."""

import copy

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import ErrorGroup, OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_documents import (
    API_VERSIONS,
    INIT_KINDS,
    by_kind,
    merge,
)
from hypothesis import given
from hypothesis import strategies as st

CLUSTER, KUBELET, INIT = "ClusterConfiguration", "KubeletConfiguration", "InitConfiguration"


def doc(kind, **fields):
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, **fields}


def merged(kind, *layers, enforced=None):
    layers = [[doc(kind, **layer)] if layer is not None else [] for layer in layers]
    made = merge(layers, [doc(kind, **enforced)] if enforced else [], [kind])
    return {key: value for key, value in made[0].items() if key not in ("apiVersion", "kind")} if made else None


def args(**values):
    return [{"name": name, "value": value} for name, value in values.items()]


# (kind, layers lowest first, enforced, what comes out)
CASES = [
    (KUBELET, [{"maxPods": 1}, {}], None, {"maxPods": 1}),
    (KUBELET, [{"maxPods": 1}, {"maxPods": 2}], None, {"maxPods": 2}),
    (KUBELET, [{"maxPods": 1}, {"maxPods": 2}, {"maxPods": 3}], None, {"maxPods": 3}),
    (KUBELET, [{"maxPods": 1}, {"maxPods": 2}, {}], None, {"maxPods": 2}),
    (KUBELET, [{"a": 1}, {"b": 2}, {"c": 3}], None, {"a": 1, "b": 2, "c": 3}),
    (KUBELET, [{"failSwapOn": True}, {"failSwapOn": False}], None, {"failSwapOn": False}),
    (KUBELET, [{"clusterDNS": ["1"]}, {"clusterDNS": ["2"]}], None, {"clusterDNS": ["2"]}),  # other lists: replaced
    (KUBELET, [{"clusterDNS": ["1"]}, {"clusterDNS": []}], None, {"clusterDNS": []}),
    (KUBELET, [{"memorySwap": {"a": 1}}, {"memorySwap": {"b": 2}}], None, {"memorySwap": {"a": 1, "b": 2}}),
    (KUBELET, [{"memorySwap": {"a": 1}}, {"memorySwap": None}], None, {"memorySwap": None}),
    (KUBELET, [{"x": {"y": {"z": 1, "k": 0}}}, {"x": {"y": {"z": 2}}}], None, {"x": {"y": {"z": 2, "k": 0}}}),
    (
        KUBELET,
        [{"featureGates": {"A": True}}, {"featureGates": {"B": False}}],
        None,
        {"featureGates": {"A": True, "B": False}},
    ),
    (KUBELET, [{"x": {"a": 1}}, {"x": [1]}], None, {"x": [1]}),
    (KUBELET, [{"x": [1]}, {"x": {"a": 1}}], None, {"x": {"a": 1}}),
    (KUBELET, [{"x": 1}, {"x": "1"}], None, {"x": "1"}),
    (
        CLUSTER,
        [{"apiServer": {"certSANs": ["a"]}}, {"apiServer": {"certSANs": ["b"]}}],
        None,
        {"apiServer": {"certSANs": ["a", "b"]}},
    ),
    (
        CLUSTER,
        [{"apiServer": {"certSANs": ["a", "b"]}}, {"apiServer": {"certSANs": ["b"]}}],
        None,
        {"apiServer": {"certSANs": ["a", "b"]}},
    ),
    (
        CLUSTER,
        [{"apiServer": {"certSANs": ["a"]}}, {"apiServer": {"certSANs": []}}],
        None,
        {"apiServer": {"certSANs": ["a"]}},
    ),
    (
        CLUSTER,
        [{"apiServer": {"extraArgs": args(v="1")}}, {"apiServer": {"extraArgs": args(v="2")}}],
        None,
        {"apiServer": {"extraArgs": args(v="2")}},
    ),
    (
        CLUSTER,
        [{"apiServer": {"extraArgs": args(v="1")}}, {"apiServer": {"extraArgs": args(w="2")}}],
        None,
        {"apiServer": {"extraArgs": args(v="1", w="2")}},
    ),
    (
        CLUSTER,
        [{"apiServer": {"extraArgs": args(a="1", b="2")}}, {"apiServer": {"extraArgs": args(a="3")}}],
        None,
        {"apiServer": {"extraArgs": args(b="2", a="3")}},
    ),
    # a flag given twice by one layer stays twice: kubeadm allows it
    (
        CLUSTER,
        [{"etcd": {"local": {"extraArgs": []}}}, {"etcd": {"local": {"extraArgs": [*args(a="1"), *args(a="2")]}}}],
        None,
        {"etcd": {"local": {"extraArgs": [*args(a="1"), *args(a="2")]}}},
    ),
    (
        CLUSTER,
        [
            {"scheduler": {"extraVolumes": [{"name": "v", "hostPath": "/a"}]}},
            {"scheduler": {"extraVolumes": [{"name": "v", "hostPath": "/b"}]}},
        ],
        None,
        {"scheduler": {"extraVolumes": [{"name": "v", "hostPath": "/b"}]}},
    ),
    (
        CLUSTER,
        [{"scheduler": {"extraEnvs": args(A="1")}}, {"scheduler": {"extraEnvs": args(B="2")}}],
        None,
        {"scheduler": {"extraEnvs": args(A="1", B="2")}},
    ),
    (
        CLUSTER,
        [{"x": {"extraArgs": ["odd"]}}, {"x": {"extraArgs": args(a="1")}}],
        None,
        {"x": {"extraArgs": args(a="1")}},
    ),
    (CLUSTER, [{}, {"imageRepository": "mirror.example/k8s"}], None, {"imageRepository": "mirror.example/k8s"}),
    (
        CLUSTER,
        [{}, {"networking": {"dnsDomain": "x.y"}}],
        {"networking": {"podSubnet": "10.1.0.0/16"}},
        {"networking": {"dnsDomain": "x.y", "podSubnet": "10.1.0.0/16"}},
    ),
    (CLUSTER, [{}, {}], {"clusterName": "dev"}, {"clusterName": "dev"}),
    (
        CLUSTER,
        [{"clusterName": "ours"}, {}],
        {"clusterName": "dev"},
        {"clusterName": "dev"},
    ),  # our own defaults may be overruled
    (
        CLUSTER,
        [{}, {"clusterName": "dev"}],
        {"clusterName": "dev"},
        {"clusterName": "dev"},
    ),  # the same value is no clash
    (
        INIT,
        [{}, {"nodeRegistration": {"kubeletExtraArgs": args(v="4")}}],
        {"nodeRegistration": {"kubeletExtraArgs": args(**{"node-ip": "1"})}},
        {"nodeRegistration": {"kubeletExtraArgs": args(v="4", **{"node-ip": "1"})}},
    ),
    (
        INIT,
        [{}, {"nodeRegistration": {"taints": []}}],
        {"nodeRegistration": {"name": "cp"}},
        {"nodeRegistration": {"taints": [], "name": "cp"}},
    ),
    (
        INIT,
        [{}, {"patches": {"directory": "/p"}}],
        {"nodeRegistration": {"name": "cp"}},
        {"patches": {"directory": "/p"}, "nodeRegistration": {"name": "cp"}},
    ),
    (INIT, [{"skipPhases": ["a"]}, {"skipPhases": ["b"]}], None, {"skipPhases": ["b"]}),
    (
        INIT,
        [{}, {"localAPIEndpoint": {"bindPort": 7443}}],
        {"localAPIEndpoint": {"advertiseAddress": "1"}},
        {"localAPIEndpoint": {"bindPort": 7443, "advertiseAddress": "1"}},
    ),
]


@pytest.mark.parametrize(("kind", "layers", "enforced", "expected"), CASES)
def test_merge(kind, layers, enforced, expected):
    before = copy.deepcopy(layers)
    assert merged(kind, *layers, enforced=enforced) == expected
    assert layers == before


@pytest.mark.parametrize(
    ("kind", "user", "enforced", "field"),
    [
        (
            INIT,
            {"nodeRegistration": {"name": "x"}},
            {"nodeRegistration": {"name": "cp"}},
            "InitConfiguration.nodeRegistration.name",
        ),
        (
            INIT,
            {"localAPIEndpoint": {"advertiseAddress": "9"}},
            {"localAPIEndpoint": {"advertiseAddress": "1"}},
            "advertiseAddress",
        ),
        (
            INIT,
            {"nodeRegistration": {"kubeletExtraArgs": args(**{"node-ip": "9"})}},
            {"nodeRegistration": {"kubeletExtraArgs": args(**{"node-ip": "1"})}},
            "node-ip",
        ),
        (CLUSTER, {"networking": {"podSubnet": "9"}}, {"networking": {"podSubnet": "1"}}, "networking.podSubnet"),
        (CLUSTER, {"networking": 3}, {"networking": {"podSubnet": "1"}}, "ClusterConfiguration.networking"),
        (CLUSTER, {"kubernetesVersion": "v9"}, {"kubernetesVersion": "v1"}, "kubernetesVersion"),
    ],
)
def test_a_clash_with_an_enforced_field_is_named(kind, user, enforced, field):
    with pytest.raises(OhmykubeError) as caught:
        merged(kind, {}, user, enforced=enforced)
    assert caught.value.code == "kubeadm.enforced"
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": KUBELET}, "apiVersion and kind"),
        ({"apiVersion": "v1"}, "apiVersion and kind"),
        ({"apiVersion": "v1", "kind": "Pod"}, "unknown kind Pod"),
        ({"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": CLUSTER}, "write kubeadm.k8s.io/v1beta4"),
        (3, "no mapping"),
        ([], "no mapping"),
    ],
)
def test_a_document_that_has_no_place_is_named(document, words):
    with pytest.raises(OhmykubeError) as caught:
        by_kind([doc(KUBELET), document])
    assert "document 2" in caught.value.message
    assert words in caught.value.message


def test_all_bad_documents_are_reported_and_empty_ones_are_fine():
    assert by_kind([None, doc(KUBELET), None]) == {KUBELET: doc(KUBELET)}
    with pytest.raises(ErrorGroup) as caught:
        by_kind([doc(KUBELET), doc(KUBELET), {"kind": "Pod", "apiVersion": "v1"}])
    assert len(caught.value.errors) == 2


def test_documents_come_in_the_order_asked_for_and_others_are_left_out():
    layer = [doc("JoinConfiguration"), doc(KUBELET), doc(INIT)]
    assert [item["kind"] for item in merge([layer], [], INIT_KINDS)] == [INIT, KUBELET]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["x", "y", "extraArgs", "certSANs", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)
layers = st.dictionaries(st.sampled_from(["x", "y", "extraArgs", "certSANs"]), values, max_size=3)


@given(layers, layers, layers)
def test_any_layers_merge_and_what_is_enforced_holds_or_is_a_clash(low, user, enforced):
    try:
        made = merged(KUBELET, low, user, enforced=enforced) or {}
    except OhmykubeError as error:
        assert error.code == "kubeadm.enforced"
        return
    for key, value in enforced.items():
        if not isinstance(value, dict | list):
            assert made[key] == value
