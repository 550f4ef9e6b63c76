"""A cluster of one machine does all that a larger one does: its control plane takes the workloads."""

import pytest

from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "one"


def test_a_cluster_without_workers_works(ohmykube: CommandLine, bundle: Bundle) -> None:
    up = ("up", "--name", NAME, "--provider", "nspawn", "--workers", "0", *bundle.flags)
    try:
        assert len(ohmykube.data(*up)["nodes"]) == 1
        ohmykube.smoke(NAME)
        assert not ohmykube.data(*up)["changed"]
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
