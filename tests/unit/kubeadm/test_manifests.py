"""Upstream's manifests as data: what a cluster changes of them."""

import json

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import manifests
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

FLANNEL = yaml.safe_dump_all(
    [
        {
            "kind": "ConfigMap",
            "data": {"net-conf.json": '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "Port": 1}}'},
        },
        {
            "kind": "DaemonSet",
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "args": ["--ip-masq"],
                                "image": "f:1",
                                "volumeMounts": [{"name": "run"}, {"name": "flannel-cfg"}],
                                "livenessProbe": {"initialDelaySeconds": 10},
                                "readinessProbe": {"httpGet": {"path": "/readyz"}, "initialDelaySeconds": 5},
                            }
                        ],
                        "initContainers": [
                            {"name": "install-cni-plugin", "image": "i:1"},
                            {
                                "name": "install-cni",
                                "image": "f:1",
                                "command": ["cp"],
                                "args": ["from", "to"],
                                "volumeMounts": [{"name": "cni"}, {"name": "flannel-cfg"}],
                            },
                        ],
                    }
                }
            },
        },
    ]
)
PROBED = {
    "startupProbe": {"initialDelaySeconds": 5, "periodSeconds": 5, "failureThreshold": 12},
    "readinessProbe": {"initialDelaySeconds": 5, "periodSeconds": 5},
}
LOCAL = yaml.safe_dump_all(
    [
        {"kind": "StorageClass", "metadata": {"name": "local-path"}},
        {
            "kind": "ConfigMap",
            "data": {
                "config.json": '{"nodePathMap": [{"node": "x", "paths": ["/opt"]}]}',
                "helperPod.yaml": "spec: {containers: [{image: busybox}]}",
            },
        },
        {
            "kind": "Deployment",
            "spec": {"template": {"spec": {"containers": [PROBED]}}},
        },
    ]
)


def test_flannel_as_data():
    config, daemon = yaml.safe_load_all(manifests.flannel(FLANNEL, pod_cidr="10.9.0.0/16", backend="host-gw"))
    assert json.loads(config["data"]["net-conf.json"]) == {
        "Network": "10.9.0.0/16",
        "Backend": {"Type": "host-gw", "Port": 1},
    }
    assert daemon["spec"]["template"]["spec"]["containers"][0]["args"] == ["--ip-masq", "--iface=$(HOST_ADDRESS)"]


def test_flannel_of_both_families():
    made = manifests.flannel(FLANNEL, pod_cidr="10.9.0.0/16,fd01::/56", backend="vxlan")
    config, _ = yaml.safe_load_all(made)
    network = json.loads(config["data"]["net-conf.json"])
    assert (network["Network"], network["IPv6Network"], network["EnableIPv6"]) == ("10.9.0.0/16", "fd01::/56", True)


def test_what_yaml_1_1_makes_more_of_stays_text():
    odd = "---\nkind: Rule\nspec: {matchType: [=, '!='], since: 2026-01-02}\n"
    *_, rule = yaml.safe_load_all(manifests.flannel(FLANNEL + odd, pod_cidr="10.9.0.0/16", backend="vxlan"))
    assert rule["spec"] == {"matchType": ["=", "!="], "since": "2026-01-02"}


def test_local_path_as_data():
    made = manifests.local_path(LOCAL, default_class=True, helper_image="b:1", path="/d")
    storage, config, deployment = yaml.safe_load_all(made)
    assert storage["metadata"]["annotations"][manifests.DEFAULT_CLASS] == "true"
    assert json.loads(config["data"]["config.json"])["nodePathMap"][0]["paths"] == ["/d"]
    assert yaml.safe_load(config["data"]["helperPod.yaml"])["spec"]["containers"][0]["image"] == "b:1"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"] == {"periodSeconds": 1, "failureThreshold": 60}
    assert container["readinessProbe"] == {"periodSeconds": 5}


def test_flannel_needs_no_service_where_it_knows_the_api_server():
    made = manifests.flannel(FLANNEL, pod_cidr="10.9.0.0/16", backend="vxlan", api_server="dev.internal:6443")
    _, daemon = yaml.safe_load_all(made)
    assert daemon["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "HOST_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"name": "KUBERNETES_SERVICE_HOST", "value": "dev.internal"},
        {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
    ]


def test_policies_are_enforced_as_flannels_own_chart_does():
    role = "---\nkind: ClusterRole\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n"
    volumes = FLANNEL.replace("      initContainers:", "      volumes: []\n      initContainers:")
    options = {"pod_cidr": "10.9.0.0/16", "backend": "vxlan", "api_server": "dev.internal:6443"}
    _, daemon, rights = yaml.safe_load_all(manifests.flannel(volumes + role, **options, policy_image="p:1"))
    _, policies = daemon["spec"]["template"]["spec"]["containers"]
    assert policies["image"] == "p:1"
    assert [each["name"] for each in policies["env"]] == [
        "MY_NODE_NAME",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
    ]
    mounts = {each["name"] for each in policies["volumeMounts"]}
    assert mounts == {each["name"] for each in daemon["spec"]["template"]["spec"]["volumes"]}
    assert "networkpolicies" in [resource for rule in rights["rules"] for resource in rule["resources"]]
    with pytest.raises(OhmykubeError) as caught:
        manifests.flannel(FLANNEL, **options, policy_image="p:1")
    assert caught.value.code == "manifest.unknown"


def test_pods_of_a_node_come_after_its_network():
    """flannel configures the container runtime when it has a subnet, with upstream's own command."""
    _, daemon = yaml.safe_load_all(manifests.flannel(FLANNEL, pod_cidr="10.9.0.0/16", backend="vxlan"))
    pod = daemon["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["initContainers"]] == ["install-cni-plugin"]
    (main,) = pod["containers"]
    script = main["lifecycle"]["postStart"]["exec"]["command"]
    assert script[:2] == ["sh", "-c"]
    assert "until [ -s /run/flannel/subnet.env ]" in script[2]
    assert script[4:] == ["cp", "from", "to"]
    assert main["volumeMounts"] == [{"name": "run"}, {"name": "flannel-cfg"}, {"name": "cni"}]


def test_add_ons_are_seen_to_be_ready_at_once_and_live_as_upstream_says():
    _, daemon = yaml.safe_load_all(manifests.flannel(FLANNEL, pod_cidr="10.9.0.0/16", backend="vxlan"))
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"] == {"httpGet": {"path": "/readyz"}, "periodSeconds": 1}
    assert container["livenessProbe"] == {"initialDelaySeconds": 10}
    both = FLANNEL.replace("kind: ConfigMap", "kind: Deployment\nspec: {template: {spec: {containers: []}}}")
    _, daemon = yaml.safe_load_all(manifests.metallb(both, on_control_planes=True))
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["periodSeconds"] == 1
    assert container["args"][-1] == "--ignore-exclude-lb"


METALLB = """\
kind: Deployment
spec: {template: {spec: {containers: []}}}
---
kind: DaemonSet
spec: {template: {spec: {containers: []}}}
---
kind: ValidatingWebhookConfiguration
"""


def test_a_pool_is_announced_and_only_then_checked():
    assert "Webhook" not in manifests.metallb(METALLB, on_control_planes=False)
    made = manifests.metallb_pool(METALLB, addresses="10.0.0.1-10.0.0.9, 10.1.0.0/28,fd00::1-fd00::9")
    pool, advertisement, webhook = yaml.safe_load_all(made)
    assert pool["spec"]["addresses"] == ["10.0.0.1-10.0.0.9", "10.1.0.0/28", "fd00::1-fd00::9"]
    assert advertisement["spec"]["ipAddressPools"] == [pool["metadata"]["name"]]
    assert webhook == {"kind": "ValidatingWebhookConfiguration"}


def test_routers_are_told_by_bgp_and_nobody_by_arp():
    peers = [
        {"address": "10.0.0.1", "asn": 64512, "my_asn": 64513},
        {"address": "fd00::1", "asn": 1, "my_asn": 2, "port": 1179},
    ]
    made = yaml.safe_load_all(manifests.metallb_pool(METALLB, addresses="10.1.0.0/28", peers=peers))
    pool, advertisement, one, other, _ = made
    assert (pool["kind"], advertisement["kind"], one["kind"]) == ("IPAddressPool", "BGPAdvertisement", "BGPPeer")
    assert one["spec"] == {"myASN": 64513, "peerASN": 64512, "peerAddress": "10.0.0.1"}
    assert (other["metadata"]["name"], other["spec"]["peerPort"]) == ("ohmykube-2", 1179)


@pytest.mark.parametrize("addresses", ["", "10.0.0.9-10.0.0.1", "10.0.0.1", "10.0.0.0/33", "a-b", "10.0.0.1-10.0.0.9,"])
def test_a_pool_of_nonsense_is_refused(addresses):
    with pytest.raises(OhmykubeError, match="no range of addresses"):
        manifests.metallb_pool(METALLB, addresses=addresses)


@pytest.mark.parametrize(
    "text",
    ["", "kind: Pod", "kind: ConfigMap\ndata: {}\n---\nkind: DaemonSet", FLANNEL.replace("install-cni\n", "other\n")],
)
def test_a_manifest_of_another_build_is_refused(text):
    with pytest.raises(OhmykubeError, match="not built as expected"):
        manifests.flannel(text, pod_cidr="x", backend="z")
