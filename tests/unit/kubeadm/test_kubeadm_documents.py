"""How kubeadm's documents merge: the higher layer wins, lists of named things item by item."""

import copy

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import (
    API_VERSIONS,
    BY_NAME,
    INIT_KINDS,
    merge,
    named,
    text,
)
from hypothesis import given
from hypothesis import strategies as st

CLUSTER, KUBELET, INIT = "ClusterConfiguration", "KubeletConfiguration", "InitConfiguration"
PROXY, JOIN = "KubeProxyConfiguration", "JoinConfiguration"


def doc(kind, **fields):
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, **fields}


def merged(kind, *layers):
    made = merge([[doc(kind, **layer)] if layer is not None else [] for layer in layers], [kind])
    return {key: value for key, value in made[0].items() if key not in ("apiVersion", "kind")} if made else None


# kind, layers lowest first, what comes out; all of it as YAML. `null` for a layer: no such document in it.
CASES = [
    (KUBELET, ["{maxPods: 1}", "{}"], "{maxPods: 1}"),
    (KUBELET, ["{maxPods: 1}", "{maxPods: 2}"], "{maxPods: 2}"),
    (KUBELET, ["{maxPods: 1}", "{maxPods: 2}", "{maxPods: 3}"], "{maxPods: 3}"),
    (KUBELET, ["{maxPods: 1}", "{maxPods: 2}", "{}"], "{maxPods: 2}"),
    (KUBELET, ["{a: 1}", "{b: 2}", "{c: 3}"], "{a: 1, b: 2, c: 3}"),
    (KUBELET, ["null", "{a: 1}"], "{a: 1}"),
    (KUBELET, ["{a: 1}", "null", "{b: 2}"], "{a: 1, b: 2}"),
    (KUBELET, ["null", "null"], "null"),
    (KUBELET, ["{failSwapOn: true}", "{failSwapOn: false}"], "{failSwapOn: false}"),
    (KUBELET, ["{memorySwap: {a: 1}}", "{memorySwap: {b: 2}}"], "{memorySwap: {a: 1, b: 2}}"),
    (KUBELET, ["{memorySwap: {a: 1}}", "{memorySwap: null}"], "{memorySwap: null}"),  # takes ours back
    (KUBELET, ["{memorySwap: null}", "{memorySwap: {a: 1}}"], "{memorySwap: {a: 1}}"),
    (KUBELET, ["{x: {y: {z: 1, k: 0}}}", "{x: {y: {z: 2}}}"], "{x: {y: {z: 2, k: 0}}}"),
    (KUBELET, ["{featureGates: {A: true}}", "{featureGates: {B: false}}"], "{featureGates: {A: true, B: false}}"),
    (KUBELET, ["{featureGates: {A: true}}", "{featureGates: {A: false}}"], "{featureGates: {A: false}}"),
    # other lists are replaced
    (KUBELET, ["{clusterDNS: ['1']}", "{clusterDNS: ['2']}"], "{clusterDNS: ['2']}"),
    (KUBELET, ["{clusterDNS: ['1']}", "{clusterDNS: []}"], "{clusterDNS: []}"),
    (INIT, ["{skipPhases: [a]}", "{skipPhases: [b]}"], "{skipPhases: [b]}"),
    (INIT, ["{bootstrapTokens: [{ttl: 1h}]}", "{bootstrapTokens: [{ttl: 2h}]}"], "{bootstrapTokens: [{ttl: 2h}]}"),
    (
        INIT,
        ["{nodeRegistration: {taints: []}}", "{nodeRegistration: {taints: [{key: a}]}}"],
        "{nodeRegistration: {taints: [{key: a}]}}",
    ),
    # what is of another shape replaces
    (KUBELET, ["{x: {a: 1}}", "{x: [1]}"], "{x: [1]}"),
    (KUBELET, ["{x: [1]}", "{x: {a: 1}}"], "{x: {a: 1}}"),
    (KUBELET, ["{x: 1}", "{x: '1'}"], "{x: '1'}"),
    (PROXY, ["{mode: nftables}", "{mode: ipvs}"], "{mode: ipvs}"),
    (PROXY, ["{mode: nftables}", "{ipvs: {strictARP: true}}"], "{mode: nftables, ipvs: {strictARP: true}}"),
    # certSANs by value
    (CLUSTER, ["{apiServer: {certSANs: [a]}}", "{apiServer: {certSANs: [b]}}"], "{apiServer: {certSANs: [a, b]}}"),
    (CLUSTER, ["{apiServer: {certSANs: [a, b]}}", "{apiServer: {certSANs: [b]}}"], "{apiServer: {certSANs: [a, b]}}"),
    (CLUSTER, ["{apiServer: {certSANs: [a]}}", "{apiServer: {certSANs: []}}"], "{apiServer: {certSANs: [a]}}"),
    (CLUSTER, ["{apiServer: {certSANs: [b, a]}}", "{apiServer: {certSANs: [b]}}"], "{apiServer: {certSANs: [a, b]}}"),
    (CLUSTER, ["{}", "{apiServer: {certSANs: [b]}}"], "{apiServer: {certSANs: [b]}}"),
    # flags, volumes and environments by name
    (
        CLUSTER,
        ["{apiServer: {extraArgs: [{name: v, value: '1'}]}}", "{apiServer: {extraArgs: [{name: v, value: '2'}]}}"],
        "{apiServer: {extraArgs: [{name: v, value: '2'}]}}",
    ),
    (
        CLUSTER,
        ["{apiServer: {extraArgs: [{name: v, value: '1'}]}}", "{apiServer: {extraArgs: [{name: w, value: '2'}]}}"],
        "{apiServer: {extraArgs: [{name: v, value: '1'}, {name: w, value: '2'}]}}",
    ),
    (
        CLUSTER,
        ["{scheduler: {extraArgs: [{name: a}, {name: b}]}}", "{scheduler: {extraArgs: [{name: a, value: '3'}]}}"],
        "{scheduler: {extraArgs: [{name: b}, {name: a, value: '3'}]}}",
    ),
    (
        CLUSTER,
        ["{scheduler: {extraArgs: [{name: a}]}}", "{scheduler: {extraArgs: []}}"],
        "{scheduler: {extraArgs: [{name: a}]}}",
    ),
    (
        CLUSTER,
        ["{scheduler: {extraArgs: [{name: a}]}}", "{controllerManager: {extraArgs: [{name: b}]}}"],
        "{scheduler: {extraArgs: [{name: a}]}, controllerManager: {extraArgs: [{name: b}]}}",
    ),
    # a flag given twice by one layer stays twice: kubeadm allows it
    (
        CLUSTER,
        [
            "{etcd: {local: {extraArgs: [{name: a, value: '0'}]}}}",
            "{etcd: {local: {extraArgs: [{name: a, value: '1'}, {name: a, value: '2'}]}}}",
        ],
        "{etcd: {local: {extraArgs: [{name: a, value: '1'}, {name: a, value: '2'}]}}}",
    ),
    (
        CLUSTER,
        [
            "{scheduler: {extraVolumes: [{name: v, hostPath: /a}]}}",
            "{scheduler: {extraVolumes: [{name: v, mountPath: /b}]}}",
        ],
        "{scheduler: {extraVolumes: [{name: v, mountPath: /b}]}}",  # the whole volume
    ),
    (
        CLUSTER,
        ["{scheduler: {extraVolumes: [{name: v}]}}", "{scheduler: {extraVolumes: [{name: w}]}}"],
        "{scheduler: {extraVolumes: [{name: v}, {name: w}]}}",
    ),
    (
        CLUSTER,
        ["{scheduler: {extraEnvs: [{name: A, value: '1'}]}}", "{scheduler: {extraEnvs: [{name: B, value: '1'}]}}"],
        "{scheduler: {extraEnvs: [{name: A, value: '1'}, {name: B, value: '1'}]}}",
    ),
    (
        INIT,
        [
            "{nodeRegistration: {kubeletExtraArgs: [{name: v, value: '4'}]}}",
            "{nodeRegistration: {kubeletExtraArgs: [{name: node-ip, value: '1'}], name: cp}}",
        ],
        "{nodeRegistration: {kubeletExtraArgs: [{name: v, value: '4'}, {name: node-ip, value: '1'}], name: cp}}",
    ),
    (CLUSTER, ["{x: {extraArgs: [odd]}}", "{x: {extraArgs: [{name: a}]}}"], "{x: {extraArgs: [{name: a}]}}"),
    # fields that stand beside each other
    (CLUSTER, ["{}", "{imageRepository: mirror.example/k8s}"], "{imageRepository: mirror.example/k8s}"),
    (
        CLUSTER,
        ["{networking: {dnsDomain: x.y}}", "{networking: {podSubnet: 10.1.0.0/16}}"],
        "{networking: {dnsDomain: x.y, podSubnet: 10.1.0.0/16}}",
    ),
    (
        INIT,
        ["{localAPIEndpoint: {bindPort: 7443}}", "{localAPIEndpoint: {advertiseAddress: '1'}}"],
        "{localAPIEndpoint: {bindPort: 7443, advertiseAddress: '1'}}",
    ),
    (
        JOIN,
        ["{timeouts: {discovery: 1m}}", "{timeouts: {tlsBootstrap: 2m}}"],
        "{timeouts: {discovery: 1m, tlsBootstrap: 2m}}",
    ),
    (
        JOIN,
        ["{patches: {directory: /a}}", "{dryRun: true}", "{patches: {directory: /b}}"],
        "{patches: {directory: /b}, dryRun: true}",
    ),
]


@pytest.mark.parametrize(("kind", "layers", "expected"), CASES)
def test_merge(kind, layers, expected):
    layers = [yaml.safe_load(layer) for layer in layers]
    before = copy.deepcopy(layers)
    assert merged(kind, *layers) == yaml.safe_load(expected)
    assert layers == before


def test_documents_come_in_the_order_asked_for_and_others_are_left_out():
    layer = [doc(JOIN), doc(KUBELET), doc(INIT)]
    assert [item["kind"] for item in merge([layer], INIT_KINDS)] == [INIT, KUBELET]


@pytest.mark.parametrize(
    "value", ["1e3", "0o7", "y", "N", "no", "1_000", "on", "10.0.0.0/8", "", "null", "- a", "a: b", "~", "="]
)
def test_text_stays_text_for_the_yaml_that_kubeadm_reads(value):
    line = text([{"value": value}])
    assert yaml.safe_load(line) == {"value": value}
    assert line[len("value: ")] in "\"'", line


def test_what_two_documents_share_is_written_out_twice():
    shared = {"taints": ["a"]}
    assert "&" not in text([{"a": shared}, {"b": shared, "c": shared}])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["x", "y", "extraArgs", "certSANs", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)
layers = st.dictionaries(st.sampled_from(["x", "y", "extraArgs", "certSANs"]), values, max_size=3)


@given(layers, layers)
def test_whatever_is_merged_the_higher_layer_holds(low, high):
    made = merged(KUBELET, low, high)
    assert made.keys() == low.keys() | high.keys()
    for key, value in high.items():
        if not isinstance(value, dict | list):
            assert made[key] == value
        elif isinstance(value, list) and key in BY_NAME and named(value):
            assert made[key][-len(value) :] == value or not value
