"""helm and charts of the catalogue, where this computer has them, and the layouts in which Cilium's is tried."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import rendering
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import builtin
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm as program
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release
from ansible_collections.ohmykube.cluster.plugins.module_utils.cilium import Options

from tests.conftest import BUNDLE

# What it is told, and objects that it must have then.
LAYOUTS: dict[str, tuple[Options, set[str]]] = {
    "default": (Options(api_server="dev.internal:6443"), {"DaemonSet/cilium", "DaemonSet/cilium-envoy"}),
    "no-kube-proxy": (
        Options(
            api_server="dev.internal:6443",
            kube_proxy=False,
            pod_cidr="10.244.0.0/16,fd00:10:244::/56",
            digests=False,
        ),
        {"DaemonSet/cilium"},
    ),
    "hubble-wireguard": (
        Options(api_server="dev.internal:6443", hubble=True, hubble_ui=True, encryption="wireguard", policy="always"),
        {"Deployment/hubble-relay", "Deployment/hubble-ui", "CronJob/hubble-generate-certs"},
    ),
}


def helm() -> Path:
    """One that is installed, or the test bundle's."""
    found = [Path(path) for path in (BUNDLE / "bin/helm", shutil.which("helm")) if path and Path(path).exists()]
    if not found:
        pytest.skip("there is no helm: neither installed, nor bin/helm in the test bundle")
    return found[0]


def cilium_chart() -> Path:
    path = BUNDLE / "charts/cilium-1.20.0.tgz"
    if not path.exists():
        pytest.skip("Cilium's chart is not in the test bundle: charts/cilium-1.20.0.tgz")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found == Catalogue.load().artifact("cilium", "any", "v1.20.0").sha256, "it is another one than is pinned"
    return path


def monitoring_chart() -> Path:
    """Of the version that is pinned, though its archive may be packed from upstream's sources, so with another sum."""
    path = BUNDLE / "charts/kube-prometheus-stack-88.5.2.tgz"
    if not path.exists():
        pytest.skip(f"the chart of the add-on kube-prometheus-stack is not in the test bundle: charts/{path.name}")
    assert Catalogue.load().default("kube_prometheus_stack") == "v88.5.2", "it is another one than is pinned"
    return path


def monitoring_objects(kubernetes: str) -> list[objects.Object]:
    """The add-on's, without a cache."""
    addon = builtin()["kube-prometheus-stack"]
    told = json.dumps(addon.values)
    release = Release(addon.name, addon.namespace, kubernetes, told, archive=str(monitoring_chart()))
    return rendering.render(addon, [program.render(helm(), release)])
