"""Clusters side by side: made at once, and the end of one is nothing to the other, whose name begins alike."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

DEV, OTHER = "dev", "dev-2"


def test_a_cluster_survives_the_end_of_another_with_a_similar_name(ohmykube: CommandLine, bundle: Bundle) -> None:
    before = computer.look()
    flags = ("--provider", "nspawn", "--workers", "1", *bundle.flags)
    try:
        with ThreadPoolExecutor() as pool:
            made = list(pool.map(lambda name: ohmykube.data("up", "--name", name, *flags), (DEV, OTHER)))
        assert [each["name"] for each in made] == [DEV, OTHER]
        assert not _addresses(ohmykube, DEV) & _addresses(ohmykube, OTHER)
        assert not _pool(ohmykube, bundle, DEV) & _pool(ohmykube, bundle, OTHER)
        seen = _machines(ohmykube), _pods(ohmykube, bundle)
        own = computer.names(ohmykube.home / "clusters" / DEV, made[0]["nodes"])

        ohmykube.text("down", "--force", "--name", DEV)

        assert computer.processes(str(ohmykube.home / "clusters" / DEV) + "/") == {}
        assert computer.changes(before, computer.look(), own) == []
        assert (_machines(ohmykube), _pods(ohmykube, bundle)) == seen
        assert [row["name"] for row in ohmykube.data("list")] == [OTHER]
        assert ohmykube.data("status", "--name", OTHER)["ready"]
        ohmykube.smoke(OTHER)
    finally:
        for name in (DEV, OTHER):
            ohmykube.text("down", "--force", "--name", name)
    assert computer.changes(before, computer.look(), []) == []


def _addresses(ohmykube: CommandLine, name: str) -> set[str]:
    return {node["address"] for node in ohmykube.data("status", "--name", name)["nodes"]}


def _pool(ohmykube: CommandLine, bundle: Bundle, name: str) -> set[str]:
    kubeconfig = ohmykube.home / "clusters" / name / "kubeconfig"
    pools = bundle.items(kubeconfig, "ipaddresspools.metallb.io", "--namespace=metallb-system")
    return {addresses for pool in pools for addresses in pool["spec"]["addresses"]}


def _machines(ohmykube: CommandLine) -> dict[str, str]:
    """The processes of the other cluster's machines that do not come and go: systemd-nspawn's."""
    found = computer.processes(str(ohmykube.home / "clusters" / OTHER) + "/")
    return {process: words for process, words in found.items() if words.startswith("systemd-nspawn ")}


def _pods(ohmykube: CommandLine, bundle: Bundle) -> dict[str, Any]:
    """The other cluster's pods: which they are, and how often their containers began anew."""
    kubeconfig = ohmykube.home / "clusters" / OTHER / "kubeconfig"
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            [status["restartCount"] for status in pod["status"]["containerStatuses"]],
        )
        for pod in bundle.items(kubeconfig, "pods", "--all-namespaces")
    }
