"""The collection without the command line: an inventory of one's own, and ansible-playbook."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster.clusters import Bundle, CommandLine
from tests.cluster.sites import READY, WORKLOAD, Site
from tests.hosts import machines

pytestmark = pytest.mark.cluster

_COLLECTIONS = Path(__file__).parents[2] / "collections"
_ADMIN = "/etc/kubernetes/admin.conf"
_TIMEOUT = 900  # seconds for a playbook


def test_the_playbooks_alone_make_a_cluster_and_give_the_hosts_back(
    ohmykube: CommandLine, bundle: Bundle, site: Site
) -> None:
    inventory = _inventory(site, bundle)

    def play(name: str) -> str:
        """In a folder where no ansible.cfg is."""
        done = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), f"ohmykube.cluster.{name}"],
            cwd=site.folder,
            env={
                **ohmykube.environment,
                "ANSIBLE_COLLECTIONS_PATH": str(_COLLECTIONS),
                "OHMYKUBE_CATALOGUE": str(bundle.catalogue),
                "OHMYKUBE_OFFLINE": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    kubeconfig = site.folder / "kubeconfig"
    play("site")
    kubeconfig.write_text(site.sudo(0, f"cat {_ADMIN}").replace("example.test", site.hosts[0].address))
    assert bundle.kubectl(kubeconfig, "get", "nodes", f"--output={READY}") == "True True"
    bundle.kubectl(kubeconfig, "apply", "--filename=-", stdin=WORKLOAD)
    bundle.kubectl(kubeconfig, "wait", "--for=condition=Ready", "pod/web", "--timeout=120s")

    assert play("site").count("changed=0") == len(site.hosts)
    tried = play("smoke").partition("Show what was tried")[2]
    assert "load balancer" in tried
    assert "failed   " not in tried

    play("reset")
    # Without pipelining, Ansible itself keeps a folder for its modules.
    assert [line for line in site.changes() if f" /home/{machines.USER}/.ansible" not in line] == []


def _inventory(site: Site, bundle: Bundle) -> Path:
    """That of inventories/static.example.yml, for these hosts."""
    path = site.folder / "hosts.yml"
    machines.write_inventory(path, site.name, site.hosts)
    data = yaml.safe_load(path.read_text())
    names = [{"name": host.name, "address": host.address} for host in site.hosts]
    data["all"]["vars"] = {
        "kubeadm_cluster_name": "example",
        "kubeadm_version": bundle.version,
        "kubeadm_endpoint": "example.test:6443",
        "node_hosts": [*names, {"name": "example.test", "address": site.hosts[0].address}],
        "metallb_address_pool": site.pool,
    }
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path
