"""Clusters side by side: made at once, and the end of one is nothing to the others, whose names begin alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.chance import some
from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

DEV = "dev"
OTHERS = tuple(some("whose name begins alike", ("dev-2", "dev-3", "de")))


def test_clusters_made_at_once_share_nothing_and_survive_the_end_of_another(
    ohmykube: CommandLine, bundle: Bundle, machine_image: None
) -> None:
    before, flags = computer.look(), ("--provider", "nspawn", "--workers", "1", *bundle.flags)
    every = (DEV, *OTHERS)
    try:
        with ThreadPoolExecutor() as threads:
            made = list(threads.map(lambda name: ohmykube.data("up", "--name", name, *flags), every))
        assert [each["name"] for each in made] == list(every)
        _disjoint(lambda name: _addresses(ohmykube, name))
        _disjoint(lambda name: _pool(ohmykube, bundle, name))
        seen = [(_machines(ohmykube, name), _pods(ohmykube, bundle, name)) for name in OTHERS]

        ohmykube.text("down", "--force", "--name", DEV)

        assert computer.processes(f"{ohmykube.cluster(DEV)}/") == {}
        assert computer.left(before, ohmykube.cluster(DEV)) == []
        assert [(_machines(ohmykube, name), _pods(ohmykube, bundle, name)) for name in OTHERS] == seen
        assert {row["name"] for row in ohmykube.data("list")} == set(OTHERS)
        assert all(ohmykube.data("status", "--name", name)["ready"] for name in OTHERS)
        ohmykube.smoke(OTHERS[0])
    finally:
        for name in every:
            ohmykube.text("down", "--force", "--name", name)
    assert computer.left(before, *map(ohmykube.cluster, every)) == []


def test_two_that_make_one_cluster_do_it_one_after_the_other(
    ohmykube: CommandLine, bundle: Bundle, machine_image: None, tmp_path: Path
) -> None:
    words = ("up", "--name", DEV, "--provider", "nspawn", "--workers", "1", *bundle.flags)
    logs = [tmp_path / "first", tmp_path / "second"]
    try:
        both = [ohmykube.start(*words, log=log) for log in logs]
        assert [process.wait(300) for process in both] == [0, 0], "".join(log.read_text() for log in logs)
        waited = [log for log in logs if "waiting for `ohmykube up` (process" in log.read_text()]
        assert len(waited) == 1
        assert "nothing changed" in waited[0].read_text()
        assert ohmykube.data("status", "--name", DEV)["ready"]
    finally:
        ohmykube.text("down", "--force", "--name", DEV)


def _disjoint(facts: Callable[[str], set[str]]) -> None:
    found = [facts(name) for name in (DEV, *OTHERS)]
    assert all(found)
    assert not any(one & other for one, other in combinations(found, 2)), found


def _addresses(ohmykube: CommandLine, name: str) -> set[str]:
    return {node["address"] for node in ohmykube.data("status", "--name", name)["nodes"]}


def _pool(ohmykube: CommandLine, bundle: Bundle, name: str) -> set[str]:
    kubeconfig = ohmykube.cluster(name) / "kubeconfig"
    pools = bundle.items(kubeconfig, "ipaddresspools.metallb.io", "--namespace=metallb-system")
    return {addresses for pool in pools for addresses in pool["spec"]["addresses"]}


def _machines(ohmykube: CommandLine, name: str) -> dict[str, str]:
    """The processes of a cluster's machines that do not come and go: systemd-nspawn's."""
    found = computer.processes(f"{ohmykube.cluster(name)}/")
    return {process: words for process, words in found.items() if words.startswith("systemd-nspawn ")}


def _pods(ohmykube: CommandLine, bundle: Bundle, name: str) -> dict[str, Any]:
    """A cluster's pods: which they are, and how often their containers began anew."""
    kubeconfig = ohmykube.cluster(name) / "kubeconfig"
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            [status["restartCount"] for status in pod["status"]["containerStatuses"]],
        )
        for pod in bundle.items(kubeconfig, "pods", "--all-namespaces")
    }
