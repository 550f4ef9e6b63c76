"""What Cilium's chart is told: ours, the user's above it, and above all what the cluster needs."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import cilium
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm as program
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, each
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

from ohmykube import COLLECTIONS
from tests.charts import LAYOUTS, cilium_chart

ROLE = COLLECTIONS / "ansible_collections/ohmykube/cluster/roles/cilium"
SPEC: dict[str, Any] = {"network": {"podCIDR": "10.9.0.0/16", "proxyMode": "nftables"}, "vars": {}}


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


def problems(own: dict[str, Any], **options: Any) -> list[str]:
    with pytest.raises(OhmykubeError) as caught:
        cilium.values(own, cilium.Options(**options))
    return [error.message for error in each(caught.value)]


def test_the_pod_network_is_the_clusters_and_one_operator_is_enough() -> None:
    made = cilium.values({}, cilium.Options(pod_cidr="10.9.0.0/16"))
    assert (at(made, "ipam.mode"), at(made, "operator.replicas")) == ("kubernetes", 1)
    assert at(made, "ipam.operator.clusterPoolIPv4PodCIDRList") == ["10.9.0.0/16"]
    assert (at(made, "ipv6.enabled"), at(made, "kubeProxyReplacement"), at(made, "hubble.enabled")) == (False,) * 3
    assert at(made, "l2announcements.enabled") is False
    assert "k8sServiceHost" not in made
    both = cilium.values({}, cilium.Options(pod_cidr="10.9.0.0/16,fd00::/56"))
    assert (at(both, "ipv6.enabled"), at(both, "k8s.requireIPv6PodCIDR")) == (True, True)
    assert at(both, "ipam.operator.clusterPoolIPv6PodCIDRList") == ["fd00::/56"]


def test_without_kube_proxy_it_is_told_where_the_api_server_is() -> None:
    made = cilium.values({}, cilium.Options(api_server="dev.internal:6443", kube_proxy=False))
    assert (made["kubeProxyReplacement"], made["k8sServiceHost"], made["k8sServicePort"]) == (
        True,
        "dev.internal",
        6443,
    )
    assert problems({}, kube_proxy=False) == ["without kube-proxy Cilium must be told where the API server is"]
    assert "cilium_api_server is 'dev'" in problems({}, api_server="dev")


def test_the_users_values_are_above_ours_and_below_what_the_cluster_needs() -> None:
    own = {"operator": {"replicas": 2}, "hubble": {"enabled": True}, "debug": {"enabled": True}, "devices": ["eth1"]}
    made = cilium.values(own, cilium.Options(devices="eth0", encryption="wireguard", policy="always"))
    assert (at(made, "operator.replicas"), at(made, "operator.rollOutPods")) == (2, True)
    assert (made["devices"], at(made, "encryption.type"), made["policyEnforcementMode"]) == (
        ["eth1"],
        "wireguard",
        "always",
    )
    cilium.values({"ipam": {"mode": "kubernetes"}, "kubeProxyReplacement": "false"}, cilium.Options())
    found = problems(
        {"ipam": {"mode": "cluster-pool"}, "kubeProxyReplacement": True, "l2announcements": {"enabled": True}},
        encryption="ipsec",
    )
    assert found == [
        "cilium_encryption is 'ipsec'",
        "cilium_values: ipam.mode cannot be 'cluster-pool': in this cluster it is 'kubernetes'",
        "cilium_values: kubeProxyReplacement cannot be True: in this cluster it is False",
        "cilium_values: l2announcements.enabled cannot be True: in this cluster it is False",
    ]


def test_the_roles_defaults_are_those_of_the_options() -> None:
    said = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    known = {f"cilium_{name}": value for name, value in vars(cilium.Options()).items()}
    fixed = {name: value for name, value in said.items() if name in known and "{{" not in str(value)}
    assert fixed == {name: known[name] for name in fixed}
    assert set(known) <= set(said)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_real_chart(helm: Path, layout: str) -> None:
    options, kinds = LAYOUTS[layout]
    told = Release(
        "cilium", "kube-system", "v1.36.4", json.dumps(cilium.values({}, options)), archive=str(cilium_chart())
    )
    text = program.render(helm, told)
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects.objects(text, "cilium", "kube-system")}
    assert kinds <= {f"{kind}/{name}" for kind, name in found}
    assert ("Secret", "cilium-ca") not in found
    config = found["ConfigMap", "cilium-config"]["data"]
    assert config["ipam"] == "kubernetes"
    assert config["kube-proxy-replacement"] == str(not options.kube_proxy).lower()
    assert config["enable-ipv6"] == str("," in options.pod_cidr).lower()
    assert found["Deployment", "cilium-operator"]["spec"]["replicas"] == 1
    agent = found["DaemonSet", "cilium"]["spec"]["template"]["spec"]
    assert {"name": "KUBERNETES_SERVICE_HOST", "value": "dev.internal"} in agent["containers"][0]["env"]
    assert all(("@sha256:" in image) == options.digests for image in workload_images(text))


def test_the_catalogue_has_the_chart_and_the_images_of_the_defaults(helm: Path) -> None:
    artifact = Catalogue.load().artifact("cilium", "any", "v1.20.0")
    told = json.dumps(cilium.values({}, cilium.Options()))
    text = program.render(helm, Release("cilium", "kube-system", "v1.36.4", told, archive=str(cilium_chart())))
    assert sorted(artifact.images) == sorted(workload_images(text))


def test_what_a_wish_comes_to(helm: Path, tmp_path: Path) -> None:
    """Before the chart is there, the catalogue says what it runs."""
    catalogue = Catalogue.load()
    bare = Charts(catalogue, lambda _: None, tmp_path, "v1.36.4")
    assert cilium.artifact(SPEC, bare, "amd64").images == catalogue.artifact("cilium", "any").images

    class Kept:
        def __init__(self, path: Path) -> None:
            self.path = path

    there = Charts(
        catalogue, lambda found: Kept(cilium_chart() if found.component == "cilium" else helm), tmp_path, "v1.36.4"
    )
    said = {"cilium_hubble": True, "cilium_digests": "{{ somewhere }}", "cilium_values": {"operator": {"replicas": 3}}}
    images = cilium.artifact({**SPEC, "vars": said}, there, "amd64").images
    assert any("hubble-relay" in image for image in images)
    assert not any("hubble-ui" in image for image in images)
    with pytest.raises(OhmykubeError, match=r"ipam\.mode cannot be"):
        cilium.artifact({**SPEC, "vars": {"cilium_values": {"ipam": {"mode": "eni"}}}}, bare, "amd64")
