"""Groups of nodes that differ: marks in the API, files on the disks, and hooks that run once, each at its moment.

The cluster has kubeadm files of its user's own too, of every kind, in the version before kubeadm's present one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "custom"
PLANE, SMALL, BIG = f"{NAME}-control-plane-1", f"{NAME}-small-1", f"{NAME}-big-1"
RAN, LOGS = "/var/local/ran", "/var/log/ohmykube/hooks"
# Each leaves its name, and fails where its moment has not come, or has gone.
MOMENTS = {
    "preSystem": "echo begin $OHMYKUBE_CLUSTER $OHMYKUBE_NODE $OHMYKUBE_ROLE; ! grep BEGIN.ohmykube /etc/hosts",
    "postSystem": "grep BEGIN.ohmykube /etc/hosts; test ! -e /run/containerd/containerd.sock",
    "preKubernetes": "test -S /run/containerd/containerd.sock; test ! -e /etc/kubernetes/kubelet.conf",
    "postKubernetes": "kubectl --kubeconfig=/etc/kubernetes/kubelet.conf get node $OHMYKUBE_NODE",
}
SCRIPT = """#!/usr/bin/env python3
import os
with open("/var/local/ran", "a") as file:
    file.write("big\\n")
print(os.environ["OHMYKUBE_NODE"], oct(os.stat("/opt/tool/run").st_mode))
"""
KUBEADM = """
apiVersion: kubeadm.k8s.io/v1beta3
kind: InitConfiguration
nodeRegistration: {kubeletExtraArgs: {v: "4"}}
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: JoinConfiguration
nodeRegistration: {kubeletExtraArgs: {v: "3"}}
---
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
apiServer: {certSANs: [api.example.org], extraArgs: {v: "1"}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: 77
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
"""


@dataclass
class Site:
    """The cluster, and the file that it is made from, which tests change."""

    ohmykube: CommandLine
    bundle: Bundle
    folder: Path
    spec: dict[str, Any]

    def up(self, *words: str) -> Any:
        return self.ohmykube.data("up", *self._flags(), *words)

    def plan(self) -> set[tuple[str, str, str]]:
        steps = self.ohmykube.data("plan", *self._flags())["steps"]
        return {(step["action"], step["what"], step["detail"]) for step in steps}

    def error(self) -> dict[str, Any]:
        """The one error of an `up` that fails."""
        done = self.ohmykube("up", *self._flags(), "-o", "json")
        assert done.returncode == 1, done.stdout + done.stderr
        (error,) = json.loads(done.stdout)["errors"]
        return dict(error)

    def run(self, node: str, *command: str) -> str:
        return self.ohmykube.text("shell", "--name", NAME, node, "--", *command)

    def ran(self, node: str) -> list[str]:
        return self.run(node, "cat", RAN).split()

    @property
    def kubeconfig(self) -> Path:
        return self.ohmykube.cluster(NAME) / "kubeconfig"

    @property
    def nodes(self) -> Mapping[str, Any]:
        return {node["metadata"]["name"]: node for node in self.bundle.items(self.kubeconfig, "nodes")}

    def _flags(self) -> list[str]:
        document = {"apiVersion": "ohmykube.dev/v1", "kind": "Cluster", "metadata": {"name": NAME}, "spec": self.spec}
        (self.folder / "cluster.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return ["--file", str(self.folder / "cluster.yaml"), *self.bundle.flags]


@pytest.fixture(scope="module")
def made(ohmykube: CommandLine, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    before = computer.look()
    folder = tmp_path_factory.mktemp("custom")
    (folder / "tool").mkdir()
    (folder / "tool" / "run").write_text("#!/bin/sh\n")
    (folder / "tool" / "run").chmod(0o755)
    (folder / "big.py").write_text(SCRIPT)
    (folder / "kubeadm.yaml").write_text(KUBEADM)
    (folder / "patches").mkdir()
    (folder / "patches/kube-apiserver+merge.yaml").write_text("spec: {terminationGracePeriodSeconds: 7}\n")
    hooks = {
        moment: [{"name": "all", "script": f"echo {moment} >>{RAN}\n{test}\n"}] for moment, test in MOMENTS.items()
    }
    small = {
        "name": "small",
        "count": 1,
        "labels": {"size": "small", "example.org/disk": "ssd"},
        "annotations": {"example.org/owner": "me and you"},
    }
    big = {
        "name": "big",
        "count": 1,
        "cpu": 2,
        "memory": "3GiB",
        "labels": {"size": "big"},
        "taints": ["only=big:NoSchedule"],
        "hooks": {"postKubernetes": [{"name": "big", "file": "big.py", "timeout": 60}]},
        "files": [
            {"path": "/opt/tool", "source": "tool"},
            {"path": "/etc/demo/token", "content": "hush-hush\n", "mode": "0640", "group": "daemon"},
        ],
    }
    spec = {
        "provider": "nspawn",
        "hooks": hooks,
        "files": [{"path": "/etc/issue", "content": "{{ all }}\n"}],
        "controlPlane": {"files": [{"path": "/srv/data", "directory": True, "mode": "0700", "owner": 1000}]},
        "workers": [small, big],
        "kubeadm": {"config": "./kubeadm.yaml", "patches": "./patches"},
    }
    site = Site(ohmykube, bundle, folder, spec)
    site.up()
    yield site
    ohmykube.text("down", "--name", NAME, "--force")
    assert computer.left(before, ohmykube.cluster(NAME)) == []


def test_each_group_has_its_marks(made: Site) -> None:
    small, big = made.nodes[SMALL], made.nodes[BIG]
    assert {"size": "small", "example.org/disk": "ssd"}.items() <= small["metadata"]["labels"].items()
    assert small["metadata"]["annotations"]["example.org/owner"] == "me and you"
    assert "taints" not in small["spec"]
    assert big["metadata"]["labels"]["size"] == "big"
    assert {"key": "only", "value": "big", "effect": "NoSchedule"} in big["spec"]["taints"]


def test_what_the_kubeadm_files_say_is_so(made: Site) -> None:
    """Asked of those whom it concerns: the API server, its pod and its certificate, the kubelets, kube-proxy."""
    for name, node in made.nodes.items():
        assert node["status"]["capacity"]["pods"] == "77"
        mode = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:10249/proxyMode').read().decode())"
        assert made.run(name, "python3", "-c", mode) == "iptables\n"
        kubelet = made.run(name, "sh", "-c", "tr '\\0' ' ' </proc/$(systemctl show -P MainPID kubelet)/cmdline")
        assert f"--v={4 if name == PLANE else 3} " in kubelet
    pods = made.bundle.items(made.kubeconfig, "pods", "--namespace", "kube-system")
    (server,) = (pod["spec"] for pod in pods if pod["metadata"]["name"] == f"kube-apiserver-{PLANE}")
    assert server["terminationGracePeriodSeconds"] == 7
    assert "--v=1" in server["containers"][0]["command"]
    certificate = made.run(PLANE, "openssl", "x509", "-noout", "-text", "-in", "/etc/kubernetes/pki/apiserver.crt")
    assert "DNS:api.example.org" in certificate


def test_each_node_has_its_files(made: Site) -> None:
    for node in (PLANE, SMALL, BIG):
        assert made.run(node, "cat", "/etc/issue") == "{{ all }}\n"
    assert made.run(PLANE, "stat", "--format=%a %u %F", "/srv/data") == "700 1000 directory\n"
    modes = made.run(BIG, "stat", "--format=%a %U:%G", "/opt/tool/run", "/etc/demo/token")
    assert modes.splitlines() == ["755 root:root", "640 root:daemon"]
    for node in (PLANE, SMALL):
        made.run(node, "sh", "-c", "! ls /opt/tool /etc/demo")


def test_hooks_ran_at_their_moments_and_what_they_said_is_kept(made: Site) -> None:
    for node in (PLANE, SMALL):
        assert made.ran(node) == list(MOMENTS)
    assert made.ran(BIG) == [*MOMENTS, "big"]
    assert made.run(PLANE, "cat", f"{LOGS}/preSystem-all.log") == f"begin {NAME} {PLANE} control-plane\n"
    assert made.run(SMALL, "cat", f"{LOGS}/preSystem-all.log") == f"begin {NAME} {SMALL} worker\n"
    assert made.run(BIG, "cat", f"{LOGS}/postKubernetes-big.log") == f"{BIG} 0o100755\n"
    assert made.run(BIG, "stat", "--format=%a", f"{LOGS}/postKubernetes-big.log") == "600\n"


def test_nothing_runs_twice(made: Site) -> None:
    assert made.plan() == set()
    assert not made.up()["changed"]
    assert made.ran(BIG) == [*MOMENTS, "big"]


def test_what_has_changed_is_done_once_more_and_nothing_else(made: Site) -> None:
    """The last file of a node is taken back too."""
    big, issue = made.spec["workers"][1], made.spec["files"].pop()
    (made.folder / "big.py").write_text(SCRIPT + "# another time\n")
    (made.folder / "tool" / "run").write_text("#!/bin/sh\nexit 1\n")
    del big["files"][1]
    assert made.plan() == {
        ("run", "group big", "run hook big (postKubernetes)"),
        ("place", "group big", "file /opt/tool"),
        ("restore", "group big", "file /etc/demo/token as it was before"),
        ("restore", "all nodes", "file /etc/issue as it was before"),
    }
    assert made.up()["changed"]
    assert made.ran(BIG) == [*MOMENTS, "big", "big"]
    assert made.ran(SMALL) == list(MOMENTS)
    assert made.run(BIG, "tail", "-n1", "/opt/tool/run") == "exit 1\n"
    made.run(BIG, "test", "!", "-e", "/etc/demo")
    assert "all" not in made.run(SMALL, "cat", "/etc/issue")
    made.run(SMALL, "test", "!", "-e", "/var/lib/ohmykube/files.json")
    made.spec["files"].append(issue)


def test_a_hook_that_fails_stops_it_and_its_words_are_told(made: Site) -> None:
    hooks = made.spec["workers"][0].setdefault("hooks", {})
    hooks["preKubernetes"] = [{"name": "bad", "script": "echo so far so good\nls /no/such/folder\necho not reached"}]
    error = made.error()
    assert error["code"] == "hook.failed"
    assert f"{SMALL}: " in error["message"]
    assert "the hook bad (preKubernetes) failed with status 2" in error["message"]
    assert f"{LOGS}/preKubernetes-bad.log" in error["hint"]
    assert error["context"]["output"].startswith("so far so good\nls: ")
    assert made.run(SMALL, "head", "-n1", f"{LOGS}/preKubernetes-bad.log") == "so far so good\n"

    hooks["preKubernetes"][0]["script"] = "echo mended"
    assert made.up()["changed"]
    assert made.run(SMALL, "cat", f"{LOGS}/preKubernetes-bad.log") == "mended\n"
    assert made.run(SMALL, "cat", "/etc/issue") == "{{ all }}\n"
    assert made.plan() == set()


def test_a_node_that_is_added_gets_what_its_group_has(made: Site) -> None:
    made.ohmykube.data("add", "--name", NAME, "--offline", "--group", "big")
    assert made.ran(f"{NAME}-big-2") == [*MOMENTS, "big"]
    assert made.run(f"{NAME}-big-2", "tail", "-n1", "/opt/tool/run") == "exit 1\n"
    assert made.ran(BIG) == [*MOMENTS, "big", "big"]
