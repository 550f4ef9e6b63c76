"""Cilium's objects before a real API server: it takes every one of them, in all layouts. Cilium itself is not run.

Its chart and a helm are on this computer, or this is skipped; see CONTRIBUTING.md.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import applying, cilium
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm, objects
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.release import Release

from tests import charts
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "cilium"
SECRETS = "cilium-secrets"  # a namespace of the chart: a dry run makes none, and would find none
APPLY = ("apply", "--server-side", "--force-conflicts", "--field-manager=ohmykube", "--filename=-")
DRY = (*APPLY, "--dry-run=server", "--validate=strict")


@pytest.fixture
def layouts(bundle: Bundle) -> dict[str, list[objects.Object]]:
    """The objects of each, as the role applies them."""
    program, archive = charts.helm(), str(charts.cilium_chart())
    found = {}
    for name, (options, _) in charts.LAYOUTS.items():
        told = json.dumps(cilium.values({}, options))
        text = helm.render(program, Release(cilium.RELEASE, cilium.NAMESPACE, bundle.version, told, archive=archive))
        found[name] = objects.objects(text, cilium.RELEASE, cilium.NAMESPACE)
    return found


@pytest.fixture
def kubeconfig(
    layouts: dict[str, list[objects.Object]], ohmykube: CommandLine, bundle: Bundle, machine_image: None
) -> Iterator[Path]:
    """A cluster of one node, which has flannel."""
    flags = ("--provider", "nspawn", "--workers", "0", "--lb", "none", "--csi", "none")
    try:
        ohmykube.data("up", "--name", NAME, *flags, *bundle.flags)
        path = ohmykube.cluster(NAME) / "kubeconfig"
        bundle.kubectl(path, "create", "namespace", SECRETS)
        yield path
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def test_a_real_api_server_takes_every_object(
    layouts: dict[str, list[objects.Object]], kubeconfig: Path, bundle: Bundle
) -> None:
    for name, items in layouts.items():
        text = yaml.safe_dump_all(items)
        said = bundle.kubectl(kubeconfig, *DRY, "--output=json", stdin=text)
        taken = applying.listed(said)
        assert len(taken) == len(items), name
        # What is in no namespace is known: the API server has not taken one away that we had given.
        assert {_called(item) for item in taken} == {_called(item) for item in items}, name

    wrong = yaml.safe_dump_all(layouts["default"]).replace("hostNetwork", "hostNetworks")
    with pytest.raises(AssertionError, match="hostNetworks"):
        bundle.kubectl(kubeconfig, *DRY, stdin=wrong)

    there = bundle.items(kubeconfig, "daemonsets", "--namespace=kube-system")
    assert "cilium" not in {item["metadata"]["name"] for item in there}, "a dry run has made something"


def _called(item: objects.Object) -> tuple[str, str, str]:
    metadata = item["metadata"]
    return item["kind"], metadata.get("namespace", ""), metadata["name"]
