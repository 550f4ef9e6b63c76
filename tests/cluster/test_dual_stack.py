"""A cluster of IPv4 and IPv6: nodes, pods and services have both, and both work from everywhere to everywhere."""

import json

import pytest
import yaml

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("machine_image")]

NAME = "dual"
WISH = f"""
apiVersion: ohmykube.dev/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  provider: nspawn
  workers: [{{count: 1}}]
  network:
    podCIDR: 10.244.0.0/16,fd00:10:244::/56
    serviceCIDR: 10.96.0.0/12,fd00:10:96::/112
"""
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "both"},
    "spec": {"type": "LoadBalancer", "ipFamilyPolicy": "RequireDualStack", "ports": [{"port": 80}]},
}


def families(addresses: list[str]) -> list[str]:
    return ["IPv6" if ":" in address else "IPv4" for address in addresses]


def test_nodes_pods_and_services_have_both_families(
    ohmykube: CommandLine, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before, file = computer.look(), tmp_path_factory.mktemp(NAME) / "cluster.yaml"
    file.write_text(WISH)
    up = ("up", "--file", str(file), *bundle.flags)
    try:
        assert len(ohmykube.data(*up)["nodes"]) == 2
        kubeconfig = ohmykube.cluster(NAME) / "kubeconfig"
        for node in bundle.items(kubeconfig, "nodes"):
            internal = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
            assert families(internal) == families(node["spec"]["podCIDRs"]) == ["IPv4", "IPv6"]
        for pod in bundle.items(kubeconfig, "pods", "--all-namespaces"):
            assert families([each["ip"] for each in pod["status"]["podIPs"]]) == ["IPv4", "IPv6"]

        bundle.kubectl(kubeconfig, "apply", "-f", "-", stdin=json.dumps(SERVICE))
        bundle.kubectl(kubeconfig, "wait", "service/both", "--for=jsonpath={.status.loadBalancer.ingress[1].ip}")
        (service,) = bundle.items(kubeconfig, "service", "both")
        assert families(service["spec"]["clusterIPs"]) == ["IPv4", "IPv6"]
        assert families([each["ip"] for each in service["status"]["loadBalancer"]["ingress"]]) == ["IPv4", "IPv6"]

        tried = ohmykube.playbook("smoke", NAME)
        assert tried.returncode == 0, tried.stdout
        for check in ("service by name", "cluster IP", f"pod on {NAME}-worker-1", "load balancer"):
            assert f"{check} (IPv6)" in tried.stdout
        assert not ohmykube.data(*up)["changed"]
        assert yaml.safe_load(ohmykube.text("config", "show", "--kubeadm", "--name", NAME).partition("---")[0])
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
    assert computer.left(before, ohmykube.cluster(NAME)) == []
