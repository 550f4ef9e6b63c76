"""Hosts that exist: reached by plain ssh as an ordinary user with sudo, made a cluster, and given back as they were.

They are system containers here, so the cluster file and the inventory carry the variables that such machines need.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.chance import some
from tests.cluster.clusters import Bundle, CommandLine
from tests.cluster.sites import READY, WORKLOAD, Site
from tests.patience import FOREVER, soon

pytestmark = pytest.mark.cluster

TASKS = ("Push the packages", "Run containerd", "Make the cluster with kubeadm", "Join")


@pytest.fixture
def cluster_file(site: Site) -> Path:
    roles = ["control-plane", "worker"]
    target = site.hosts[0].ssh
    spec = {
        "provider": "static",
        "hosts": [
            {"name": host.name, "address": host.address, "role": role}
            for host, role in zip(site.hosts, roles, strict=True)
        ],
        "ssh": {"user": target.user, "identityFile": str(target.identity_file), "port": target.port},
        "network": {"addressPool": site.pool},
        "files": [
            {"path": "/etc/issue", "content": "on loan\n"},
            {"path": "/etc/kubernetes/policies/audit.yaml", "content": "{}", "mode": "0600"},
        ],
        "hooks": {"postSystem": [{"name": "words", "script": "echo words"}]},
        "vars": site.variables(),
    }
    path = site.folder / "cluster.yaml"
    document = {"apiVersion": "ohmykube.dev/v1", "kind": "Cluster", "metadata": {"name": site.name}, "spec": spec}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def test_hosts_become_a_cluster_and_are_given_back(
    ohmykube: CommandLine, bundle: Bundle, site: Site, cluster_file: Path
) -> None:
    up = ["up", "--file", str(cluster_file), *bundle.flags]
    made = ohmykube.data(*up)
    kubeconfig = Path(made["kubeconfig"])
    assert bundle.kubectl(kubeconfig, "get", "nodes", f"--output={READY}") == "True True"
    bundle.kubectl(kubeconfig, "apply", "--filename=-", stdin=WORKLOAD)
    bundle.kubectl(kubeconfig, "wait", "--for=condition=Ready", "pod/web", "--timeout=120s")
    assert {line.split()[1] for line in site.changes()} >= {"-", "+"}

    assert ohmykube.data(*up)["changed"] is False

    # Somebody else's cluster may not take them.
    refused = json.loads(ohmykube(*up, "--name", "other", "-o", "json").stdout)
    assert {error["code"] for error in refused["errors"]} == {"static.host.occupied"}

    ohmykube.text("down", "--force", "--name", site.name)
    assert site.changes() == []
    assert not ohmykube.cluster(site.name).exists()
    assert ohmykube.data("down", "--force", "--name", site.name)["changed"] is False
    assert site.name not in ohmykube.text("list")


def test_half_a_node_is_given_back(ohmykube: CommandLine, bundle: Bundle, site: Site, cluster_file: Path) -> None:
    """`up` is killed while it is in the middle of a task."""
    for task in some("killed in", TASKS):
        _killed(ohmykube, bundle, site, cluster_file, task)
        ohmykube.text("down", "--force", "--name", site.name)
        assert site.changes() == []


def _killed(ohmykube: CommandLine, bundle: Bundle, site: Site, cluster_file: Path, task: str) -> None:
    log = site.folder / "up.log"
    up = ohmykube.start("up", "--file", str(cluster_file), "--progress", "json", *bundle.flags, log=log)
    try:
        soon(lambda: task in log.read_text() or up.poll() is not None, within=FOREVER)
        time.sleep(1)
    finally:
        os.killpg(up.pid, signal.SIGKILL)
        up.wait()
    assert task in log.read_text()
