"""The add-on kube-prometheus-stack as its real chart renders it; skipped where that is not on this computer."""

import re
from typing import Any

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import builtin
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.workload_images import workload_images

from tests.charts import monitoring_objects

VERSION = "v1.36.4"
ADDON = builtin()["kube-prometheus-stack"]


@pytest.fixture(scope="module")
def items() -> list[objects.Object]:
    """Rendered twice already, and refused where the two differ."""
    return monitoring_objects(VERSION)


def one(items: list[objects.Object], kind: str, name: str = "") -> objects.Object:
    (found,) = [item for item in items if item["kind"] == kind and (not name or item["metadata"]["name"] == name)]
    return found


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def test_all_images_are_known_and_have_a_tag(items: list[objects.Object]) -> None:
    found = workload_images(kube_yaml.text(items))
    pinned = Catalogue.load().artifact("kube_prometheus_stack", "any")
    assert set(found) == set(pinned.images)
    assert all(re.search(r":v?\d[^/]*$", image) for image in (*found, *ADDON.images))
    (operator,) = one(items, "Deployment", "kube-prometheus-stack-operator")["spec"]["template"]["spec"]["containers"]
    (reloader,) = [word.partition("=")[2] for word in operator["args"] if word.startswith("--prometheus-config-")]
    made = {one(items, kind)["spec"]["image"] for kind in ("Prometheus", "Alertmanager")}
    assert {*made, reloader} == set(ADDON.images)


def test_what_the_operator_makes_is_waited_for(items: list[objects.Object]) -> None:
    kinds = {"prometheus": one(items, "Prometheus"), "alertmanager": one(items, "Alertmanager")}
    made = {
        f"StatefulSet/{item['metadata']['namespace']}/{prefix}-{item['metadata']['name']}"
        for prefix, item in kinds.items()
    }
    assert made == set(ADDON.ready)
    assert all(item["spec"]["replicas"] == 1 for item in kinds.values())


def test_grafanas_password_is_made_on_the_cluster_and_all_who_ask_it_know_the_user(items: list[objects.Object]) -> None:
    assert [item["metadata"]["name"] for item in items if item["kind"] == "Secret"] == [
        "alertmanager-kube-prometheus-stack-alertmanager"
    ]
    pod = one(items, "Deployment", "kube-prometheus-stack-grafana")["spec"]["template"]["spec"]
    told = {container["name"]: environment(container) for container in pod["containers"]}
    secret = {"secretKeyRef": {"name": "grafana-admin", "key": "password"}}
    assert (told["grafana"]["GF_SECURITY_ADMIN_USER"], told["grafana"]["GF_SECURITY_ADMIN_PASSWORD"]) == (
        "admin",
        secret,
    )
    sidecars = [env for env in told.values() if "REQ_URL" in env]
    assert len(sidecars) == 2
    assert all((env["REQ_USERNAME"], env["REQ_PASSWORD"]) == ("admin", secret) for env in sidecars)


def test_nothing_needs_a_volume_or_a_certificate(items: list[objects.Object]) -> None:
    assert not {item["kind"] for item in items} & {
        "PersistentVolumeClaim",
        "Job",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    }
    assert not any("storage" in one(items, kind)["spec"] for kind in ("Prometheus", "Alertmanager"))


def test_what_listens_on_loopback_alone_is_neither_asked_nor_missed(items: list[objects.Object]) -> None:
    silent = ("scheduler", "controller-manager", "etcd", "kube-proxy")
    monitors = [item["metadata"]["name"] for item in items if item["kind"] == "ServiceMonitor"]
    assert not [name for name in monitors if name.endswith(silent)]
    alerts = [
        rule["alert"]
        for item in items
        if item["kind"] == "PrometheusRule"
        for group in item["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert {"TargetDown", "KubeletDown", "KubeAPIDown"} <= set(alerts)
    assert not [alert for alert in alerts if re.match("etcd|KubeScheduler|KubeControllerManager|KubeProxy", alert)]


def test_what_the_operator_makes_for_kubelets_goes_with_the_namespace(items: list[objects.Object]) -> None:
    (operator,) = one(items, "Deployment", "kube-prometheus-stack-operator")["spec"]["template"]["spec"]["containers"]
    assert "--kubelet-service=monitoring/kube-prometheus-stack-kubelet" in operator["args"]
    monitor = one(items, "ServiceMonitor", "kube-prometheus-stack-kubelet")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["monitoring"]}
    assert monitor["metadata"]["namespace"] == "monitoring"
