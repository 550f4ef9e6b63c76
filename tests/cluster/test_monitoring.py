"""The objects of kube-prometheus-stack before a real API server: it takes every one of them. Its pods are not run.

Its chart and a helm are on this computer, or this is skipped; see CONTRIBUTING.md.
"""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import applying, kube_yaml

from tests import charts
from tests.cluster.clusters import Bundle, CommandLine
from tests.cluster.test_cilium import APPLY, DRY

pytestmark = pytest.mark.cluster

NAME = "monitoring"
BEFORE = ("Namespace", "CustomResourceDefinition")  # a dry run makes none, and would find none


def test_a_real_api_server_takes_every_object(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> None:
    items = charts.monitoring_objects(bundle.version)
    flags = ("--provider", "nspawn", "--workers", "0", "--lb", "none", "--csi", "none")
    try:
        ohmykube.data("up", "--name", NAME, *flags, *bundle.flags)
        path = ohmykube.cluster(NAME) / "kubeconfig"
        first = [item for item in items if item["kind"] in BEFORE]
        bundle.kubectl(path, *APPLY, stdin=kube_yaml.text(first))
        names = [item["metadata"]["name"] for item in first if item["kind"] != "Namespace"]
        bundle.kubectl(path, "wait", "--for=condition=Established", "crd", *names)
        taken = applying.listed(bundle.kubectl(path, *DRY, "--output=json", stdin=kube_yaml.text(items)))
        assert len(taken) == len(items)
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
