"""Machines that come back with other addresses are the same cluster after `start`."""

import pytest

from tests.cluster.clusters import Bundle, CommandLine, swap_addresses

pytestmark = pytest.mark.cluster

NAME = "moved"
PLANE, WORKER = f"{NAME}-control-plane-1", f"{NAME}-worker-1"


def test_addresses_that_changed_are_put_right(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> None:
    up = ("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *bundle.flags)
    folder = ohmykube.cluster(NAME)
    try:
        ohmykube.data(*up)
        before = _addresses(ohmykube)
        kept = bundle.kubectl(folder / "kubeconfig", "create", "configmap", "kept", "--from-literal=a=b")
        assert "created" in kept
        ohmykube.data("stop", "--name", NAME)
        swap_addresses(folder, before)

        ohmykube.data("start", "--name", NAME, "--offline")
        after = _addresses(ohmykube)
        assert after == {PLANE: before[WORKER], WORKER: before[PLANE]}
        seen = {node["metadata"]["name"]: node for node in bundle.items(folder / "kubeconfig", "nodes")}
        for name, node in seen.items():
            addresses = [entry["address"] for entry in node["status"]["addresses"] if entry["type"] == "InternalIP"]
            assert addresses == [after[name]]
        assert bundle.items(folder / "kubeconfig", "configmap", "kept")[0]["data"] == {"a": "b"}
        files = ("--include=*.yaml", "--include=*.conf", "--include=*.env", "/etc/kubernetes", "/var/lib/kubelet")
        where = ("shell", "--name", NAME, PLANE, "--", "grep", "--recursive", "--files-with-matches", "--word-regexp")
        assert ohmykube(*where, before[PLANE], *files).stdout == ""
        assert "etcd.yaml" in ohmykube(*where, after[PLANE], *files).stdout
        ohmykube.smoke(NAME)
        assert not ohmykube.data(*up)["changed"]
        # A machine more finds the cluster where it is now.
        assert ohmykube.data("add", "--name", NAME, "--offline")["nodes"]
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def _addresses(ohmykube: CommandLine) -> dict[str, str]:
    status = ohmykube.data("status", "--name", NAME)
    assert status["ready"], status
    return {node["name"]: node["address"] for node in status["nodes"]}
