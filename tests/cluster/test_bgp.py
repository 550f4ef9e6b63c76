"""Load balancers whose addresses are of no network of the machines: a router learns the way to them by BGP.

The router is BIRD on this computer, from Debian's packages, not installed.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine
from tests.cluster.web import WEB, fetch, given
from tests.patience import PATIENCE, soon

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("machine_image")]

NAME = "routed"
POOL = "203.0.113.16/28"
_OURS, _THEIRS = 64512, 64513
_CONFIG = """
router id {gateway};
protocol device {{ }}
protocol direct {{ ipv4; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; }}; }}
protocol bgp {{
  local {gateway} as {ours};
  neighbor range {network} as {theirs};
  passive;
  ipv4 {{ import all; export none; }};
}}
"""


@pytest.fixture
def bird(tmp_path: Path) -> Path:
    """A folder with the programs and what they need."""
    for package in ("bird2", "libssh-gcrypt-4"):
        argv = ["apt-get", "--quiet", "--option=APT::Sandbox::User=", "download", package]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"no {package} in this computer's packages")
    for archive in tmp_path.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, tmp_path / "root"], check=True, timeout=60)
    return tmp_path / "root"


@contextmanager
def router(root: Path, gateway: str, network: str) -> Iterator[None]:
    """It gives the computer's kernel the routes that it learns, and takes them back at its end."""
    config = root / "bird.conf"
    config.write_text(_CONFIG.format(gateway=gateway, network=network, ours=_OURS, theirs=_THEIRS))
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    argv = [str(root / "usr/sbin/bird"), "-f", "-c", str(config), "-s", str(root / "ctl")]
    process = subprocess.Popen(argv, env={**os.environ, "LD_LIBRARY_PATH": str(libraries)})
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_a_router_learns_where_services_are(ohmykube: CommandLine, bundle: Bundle, bird: Path, tmp_path: Path) -> None:
    before, file = computer.look(), tmp_path / "cluster.yaml"
    up = ("up", "--file", str(file), *bundle.flags)
    spec = {"provider": "nspawn", "workers": [{"count": 1}], "network": {"loadBalancer": "none"}}
    file.write_text(yaml.safe_dump({"metadata": {"name": NAME}, "spec": spec}))
    try:
        ohmykube.data(*up)
        nodes = [ip_address(node["address"]) for node in ohmykube.data("status", "--name", NAME)["nodes"]]
        network = ip_network(f"{nodes[0]}/24", strict=False)
        gateway = str(network[1])
        peers = [{"address": gateway, "asn": _OURS, "my_asn": _THEIRS}]
        spec |= {"network": {"loadBalancer": "metallb", "addressPool": POOL}, "vars": {"metallb_bgp_peers": peers}}
        file.write_text(yaml.safe_dump({"metadata": {"name": NAME}, "spec": spec}))
        kubeconfig = ohmykube.cluster(NAME) / "kubeconfig"
        with router(bird, gateway, str(network)):
            assert ohmykube.data(*up)["changed"]
            assert not ohmykube.data(*up)["changed"]
            bundle.kubectl(kubeconfig, "apply", "--filename=-", stdin=WEB)
            wait = ("wait", "--namespace=web", "--for=condition=Ready", "pod/web", f"--timeout={PATIENCE}s")
            bundle.kubectl(kubeconfig, *wait)
            find = partial(bundle.items, kubeconfig, "services", "--namespace=web")
            (service,) = soon(lambda: [found for found in find() if given(found)])
            address = given(service)
            assert ip_address(address) in ip_network(POOL)
            assert soon(partial(fetch, address)) == "it answers\n"
            assert f"{address} via {nodes[-1]}" in _routes()
        assert address not in _routes()
        assert bundle.items(kubeconfig, "l2advertisements", "--namespace=metallb-system") == []
    finally:
        ohmykube.text("down", "--force", "--name", NAME)
    assert computer.left(before, ohmykube.cluster(NAME)) == []


def _routes() -> str:
    return subprocess.run(["ip", "route"], capture_output=True, text=True, check=True, timeout=60).stdout
