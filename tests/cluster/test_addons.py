"""Add-ons of a real cluster, from the cache alone: wished for, enabled, upgraded, and gone without a trace."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import soon

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("machine_image")]

NAME = "addons"
KINDS = (
    "all,configmaps,secrets,serviceaccounts,namespaces,clusterroles,clusterrolebindings,rolebindings,apiservices,crds"
)
IMAGE = "docker.io/library/busybox:1.37.0"
ADDON = """
version: '1'
requires: [metrics-server]
secrets: [hello/hello/password]
"""
HELLO = """
apiVersion: v1
kind: Namespace
metadata: {{name: hello}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: greetings.example.test}}
spec:
  group: example.test
  scope: Namespaced
  names: {{kind: Greeting, plural: greetings, singular: greeting}}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: example.test/v1
kind: Greeting
metadata: {{name: ours, namespace: hello}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {text}, namespace: hello}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: hello, namespace: hello}}
spec:
  selector: {{matchLabels: {{app: hello}}}}
  template:
    metadata: {{labels: {{app: hello}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: hello
          image: {image}
          command: [sleep, infinity]
          env: [{{name: PASSWORD, valueFrom: {{secretKeyRef: {{name: hello, key: password}}}}}}]
"""
THEIRS = '{"apiVersion": "example.test/v1", "kind": "Greeting", "metadata": {"name": "theirs", "namespace": "default"}}'


@dataclass
class Site:
    ohmykube: CommandLine
    bundle: Bundle
    folder: Path
    flags: tuple[str, ...]

    @property
    def hello(self) -> Path:
        return self.folder / "hello"

    def addon(self, verb: str, *words: str) -> Any:
        return self.ohmykube.data("addon", verb, *words, "--name", NAME, "--offline")

    def refused(self, verb: str, *words: str) -> dict[str, Any]:
        done = self.ohmykube("addon", verb, *words, "--name", NAME, "--offline", "-o", "json")
        assert done.returncode, done.stdout
        (error,) = json.loads(done.stdout)["errors"]
        return dict(error)

    def up(self, *addons: str) -> Any:
        """By a cluster file that names these."""
        spec = {
            "provider": "nspawn",
            "kubernetesVersion": self.bundle.version,
            "workers": [{"count": 0}],
            "network": {"loadBalancer": "none"},
            "addons": list(addons),
        }
        wish = {"apiVersion": "ohmykube.dev/v1", "kind": "Cluster", "metadata": {"name": NAME}, "spec": spec}
        (self.folder / "dev.yaml").write_text(yaml.safe_dump(wish))
        return self.ohmykube.data("up", "-f", str(self.folder / "dev.yaml"), *self.flags)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return self.bundle.kubectl(self.ohmykube.cluster(NAME) / "kubeconfig", *words, stdin=stdin)

    def labelled(self) -> list[str]:
        """What there is of add-ons in the cluster, and their records."""
        found = []
        for label in ("ohmykube.dev/addon", "ohmykube.dev/addon-record"):
            found += self.kubectl("get", KINDS, "--all-namespaces", f"--selector={label}", "--output=name").split()
        return found

    def password(self) -> str:
        """What the pod of hello was given, which nobody chose."""
        given = self.kubectl("exec", "--namespace=hello", "deployment/hello", "--", "sh", "-c", "echo $PASSWORD")
        assert len(given.strip()) == 32
        return given

    def write(self, text: str) -> None:
        self.hello.mkdir(exist_ok=True)
        (self.hello / "addon.yml").write_text(ADDON)
        (self.hello / "hello.yaml").write_text(HELLO.format(text=text, image=IMAGE))


@pytest.fixture
def site(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> Iterator[Site]:
    manifest = tmp_path / "components.yaml"
    manifest.write_bytes((bundle.folder / "manifests/metrics-server.yaml").read_bytes())
    overlay = tmp_path / "metrics.yml"
    overlay.write_text(f"components: {{metrics_server: {{url: 'file:{manifest.name}'}}}}")
    try:
        yield Site(ohmykube, bundle, tmp_path, (*bundle.flags, "--catalogue", str(overlay)))
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def test_add_ons_come_from_the_cache_and_leave_nothing(site: Site) -> None:
    site.up("metrics-server")
    assert site.addon("status")["ready"]
    _measured(site)
    assert not site.up("metrics-server")["changed"]
    (site.folder / "components.yaml").unlink()  # from here on the cache is all there is

    site.write("one")
    assert site.addon("enable", str(site.hello))["enabled"] == ["hello"]
    assert site.kubectl("get", "greetings", "--namespace=hello", "--output=name").split() == [
        "greeting.example.test/ours"
    ]
    password = site.password()
    status = site.addon("status")
    assert [(row["name"], row["version"], row["status"]) for row in status["addons"]] == [
        ("metrics-server", "v0.9.0", "ready"),
        ("hello", "1", "ready"),
    ]
    assert not site.addon("enable", str(site.hello), "metrics-server")["changed"]
    done = site.ohmykube.playbook("addon", NAME)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout

    site.write("two")
    assert site.addon("enable", str(site.hello))["changed"]
    maps = site.kubectl(
        "get", "configmaps", "--namespace=hello", "--selector=ohmykube.dev/addon", "--output=name"
    ).split()
    assert maps == ["configmap/two"]
    assert site.password() == password

    assert site.refused("disable", "metrics-server")["code"] == "addon.required"
    site.kubectl("apply", "--filename=-", stdin=THEIRS)
    error = site.refused("disable", "hello")
    assert (error["code"], "Greeting/theirs" in error["message"]) == ("addon.in-use", True)
    assert site.addon("status")["ready"]
    site.kubectl("delete", "greeting", "theirs")
    assert site.addon("disable", "hello", "metrics-server")["disabled"] == ["hello", "metrics-server"]
    assert site.labelled() == []
    assert "hello" not in site.kubectl("get", "namespaces,crds", "--output=name")
    assert "metrics.k8s.io" not in site.kubectl("get", "apiservices", "--output=name")

    assert site.addon("enable", "metrics-server")["enabled"] == ["metrics-server"]
    _measured(site)
    site.up()
    assert site.labelled() == []


def _measured(site: Site) -> None:
    """metrics-server tells of a node what it has measured twice; it is ready before that."""
    found = soon(lambda: json.loads(site.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"])
    assert [item["metadata"]["name"] for item in found] == [f"{NAME}-control-plane-1"]
    assert found[0]["usage"]["memory"]
    assert f"{NAME}-control-plane-1" in site.kubectl("top", "nodes")
