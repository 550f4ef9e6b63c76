"""kube-proxy in the modes that are not the default, as it says itself which one it is in."""

import json

import pytest

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "mode"
NODE = f"{NAME}-control-plane-1"
IPVS = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "xt_set")
# On its port for metrics; a node need not have curl.
_ASK = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:10249/proxyMode', timeout=9).read().decode())"


@pytest.mark.parametrize("mode", ["iptables", "ipvs"])
def test_a_cluster_works_in_this_mode(ohmykube: CommandLine, bundle: Bundle, machine_image: None, mode: str) -> None:
    if mode == "ipvs" and not computer.has_module(*IPVS):
        pytest.skip("this computer's kernel has no IPVS: what is said of that is tested below")
    try:
        ohmykube.data(*_up(bundle, mode))
        assert ohmykube.text("shell", "--name", NAME, NODE, "--", "python3", "-c", _ASK).strip() == mode
        ohmykube.smoke(NAME)
        assert not ohmykube.data(*_up(bundle, mode))["changed"]
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def test_without_ipvs_in_the_kernel_the_node_is_refused(
    ohmykube: CommandLine, bundle: Bundle, machine_image: None
) -> None:
    if computer.has_module(*IPVS):
        pytest.skip("this computer's kernel has IPVS")
    try:
        done = ohmykube(*_up(bundle, "ipvs"), "-o", "json")
        (error,) = json.loads(done.stdout)["errors"]
        assert (done.returncode, error["code"]) == (1, "node.kernel_feature")
        assert "ip_vs, ip_vs_rr, ip_vs_wrr, ip_vs_sh" in error["message"]
        assert "spec.network.proxyMode to nftables" in error["hint"]
        assert "deprecated since Kubernetes 1.35" in done.stderr
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def _up(bundle: Bundle, mode: str) -> tuple[str, ...]:
    return ("up", "--name", NAME, "--provider", "nspawn", "--workers", "0", "--proxy-mode", mode, *bundle.flags)
