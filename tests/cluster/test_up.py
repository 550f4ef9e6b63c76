"""From nothing to a cluster that works, the same again without a change, and back to nothing."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import computer
from tests.cluster.clusters import CHECKOUT, Bundle, CommandLine
from tests.cluster.web import WEB, fetch, given
from tests.patience import PATIENCE, soon

pytestmark = pytest.mark.cluster

NODES = ["dev-control-plane-1", "dev-worker-1", "dev-worker-2"]
_WORKLOADS = "deployments,daemonsets,replicasets,services,configmaps,secrets,serviceaccounts"


@dataclass
class Dev:
    """The cluster `dev`, and what the computer looked like before it. up: what the verb said of it."""

    ohmykube: CommandLine
    bundle: Bundle
    before: computer.Look
    up: dict[str, Any] = field(default_factory=dict)

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--name", "dev", "--provider", "nspawn", "--download-kubeconfig", *self.bundle.flags)

    @property
    def folder(self) -> Path:
        return self.ohmykube.cluster("dev")

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return self.bundle.kubectl(self.folder / "kubeconfig", *words, stdin=stdin)

    def items(self, *words: str) -> list[dict[str, Any]]:
        return self.bundle.items(self.folder / "kubeconfig", *words)

    def playbook(self, name: str) -> subprocess.CompletedProcess[str]:
        return self.ohmykube.playbook(name, "dev")


@pytest.fixture(scope="module")
def dev(ohmykube: CommandLine, bundle: Bundle) -> Iterator[Dev]:
    made = Dev(ohmykube, bundle, computer.look())
    made.up = ohmykube.data("up", *made.flags)
    yield made
    if made.folder.exists():
        ohmykube.text("down", "--name", "dev")


def test_up_makes_three_nodes_that_are_ready(dev: Dev) -> None:
    assert dev.up["changed"]
    assert dev.up["nodes"] == NODES
    status = dev.ohmykube.data("status", "--name", "dev")
    assert status["ready"]
    assert {node["name"]: (node["node"], node["version"]) for node in status["nodes"]} == dict.fromkeys(
        NODES, ("Ready", dev.bundle.version)
    )
    assert len({node["address"] for node in status["nodes"]}) == 3


def test_the_kubeconfig_works_on_this_computer(dev: Dev, tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    printed.write_text(dev.ohmykube.text("kubeconfig", "--name", "dev"))

    for kubeconfig in (printed, dev.ohmykube.kubeconfig):  # the person's own has a context too, as it was asked for
        version = json.loads(dev.bundle.kubectl(kubeconfig, "version", "--output=json"))
        assert version["serverVersion"]["gitVersion"] == dev.bundle.version
        nodes = dev.bundle.items(kubeconfig, "nodes")
        assert [node["metadata"]["name"] for node in nodes] == NODES
        assert dev.bundle.kubectl(kubeconfig, "config", "current-context").strip() == "dev"
    assert dev.folder.joinpath("kubeconfig").stat().st_mode & 0o777 == 0o600


def test_everything_works_that_people_want_a_cluster_for(dev: Dev) -> None:
    done = dev.playbook("smoke")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert "failed" not in done.stdout.partition("Show what was tried")[2].partition("TASK")[0]
    assert not dev.items("namespaces", "--field-selector=metadata.name=ohmykube-smoke")


def test_what_does_not_work_is_named(dev: Dev) -> None:
    dns = ("--namespace=kube-system", "deployment/coredns")
    dev.kubectl("scale", *dns, "--replicas=0")
    dev.kubectl("wait", dns[0], "pod", "--selector=k8s-app=kube-dns", "--for=delete", "--timeout=60s")
    try:
        done = dev.playbook("smoke")
    finally:
        dev.kubectl("scale", *dns, "--replicas=2")
    dev.kubectl("rollout", "status", *dns, "--timeout=120s")

    assert done.returncode != 0
    for node in NODES:
        assert any(words[:3] == ["DNS", node, "failed"] for words in map(str.split, done.stdout.splitlines()))
    assert not dev.items("namespaces", "--field-selector=metadata.name=ohmykube-smoke")


def test_services_answer_this_computer_at_the_load_balancer_and_at_every_node(dev: Dev) -> None:
    dev.kubectl("apply", "--filename=-", stdin=WEB)
    try:
        dev.kubectl("wait", "--namespace=web", "--for=condition=Ready", "pod/web", f"--timeout={PATIENCE}s")
        (service,) = soon(lambda: [found for found in dev.items("services", "--namespace=web") if given(found)])
        port = service["spec"]["ports"][0]["nodePort"]
        nodes = [machine["address"] for machine in dev.ohmykube.data("status", "--name", "dev")["nodes"]]

        for place in (given(service), *(f"{node}:{port}" for node in nodes)):
            assert soon(partial(fetch, place)) == "it answers\n"
    finally:
        dev.kubectl("delete", "namespace", "web")


def test_up_again_changes_nothing_and_says_so(dev: Dev) -> None:
    before = _everything(dev)

    said = dev.ohmykube.text("up", *dev.flags)

    assert "nothing changed" in said
    assert _everything(dev) == before


def test_ansible_sees_what_the_command_line_sees(dev: Dev, tmp_path: Path) -> None:
    argv = ["ansible-inventory", "-i", str(CHECKOUT / "inventories/ohmykube.yml"), "--list"]
    config = {"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections")}
    text = dev.ohmykube.run(["env", *(f"{key}={value}" for key, value in config.items()), *argv], tmp_path)
    # Strings of any inventory are shown as what Ansible must not take for templates.
    seen = json.loads(text, object_hook=lambda item: item.get("__ansible_unsafe", item))

    assert seen["control_plane"]["hosts"] == NODES[:1]
    assert seen["workers"]["hosts"] == seen["group_worker"]["hosts"] == NODES[1:]
    machines = {node["name"]: node["address"] for node in dev.ohmykube.data("status", "--name", "dev")["nodes"]}
    hosts = seen["_meta"]["hostvars"]
    assert {name: host["ansible_host"] for name, host in hosts.items()} == machines
    assert {host["kubeadm_version"] for host in hosts.values()} == {dev.bundle.version}


def test_the_playbooks_find_nothing_to_do_either(dev: Dev) -> None:
    before = _everything(dev)

    done = dev.playbook("site")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("changed=0") == len(NODES)
    assert _everything(dev) == before


def test_down_leaves_nothing(dev: Dev) -> None:
    kinds = {line.split()[1] for line in computer.left(dev.before, dev.folder)}
    assert kinds >= {"link:", "address:", "route:", "cgroup:"}
    assert computer.processes(str(dev.ohmykube.home))

    assert dev.ohmykube.data("down", "--name", "dev")["changed"]

    assert computer.left(dev.before, dev.folder) == []
    assert computer.processes(str(dev.ohmykube.home)) == {}
    assert not dev.folder.exists()
    assert not (dev.ohmykube.home / "current").exists()
    assert dev.bundle.kubectl(dev.ohmykube.kubeconfig, "config", "get-contexts", "--output=name") == ""
    assert dev.ohmykube.data("list") == []
    assert not dev.ohmykube.data("down", "--name", "dev")["changed"]


def _everything(dev: Dev) -> dict[str, Any]:
    """All that a run could have changed in the cluster, without what changes by itself; and which containers run."""
    found: dict[str, Any] = {}
    for item in dev.items(f"nodes,{_WORKLOADS}", "--all-namespaces"):
        data = item["metadata"]
        kept = {key: value for key, value in data.items() if key not in ("managedFields", "resourceVersion")}
        name = f"{item['kind']} {data.get('namespace', '')}/{data['name']}"
        found[name] = {**item, "metadata": kept, "status": None}
    for pod in dev.items("pods", "--all-namespaces"):
        restarts = [status["restartCount"] for status in pod["status"]["containerStatuses"]]
        found[f"Pod {pod['metadata']['name']}"] = (pod["metadata"]["uid"], restarts)
    return found
