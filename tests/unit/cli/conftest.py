"""What the tests of verbs share."""

import pytest
import yaml

from ohmykube.cli import main
from tests.unit.cache.archives import hexsum
from tests.unit.cache.server import serve
from tests.unit.cli.caches import ABSENT, ARCH, IMAGE


@pytest.fixture
def run(capsys):
    """run("up", "--workers", "0") → (exit code, stdout, stderr)."""

    def call(*args):
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, args)))
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture
def server():
    with serve() as running:
        yield running


@pytest.fixture
def catalogue(server, tmp_path, monkeypatch):
    """Every component that a cluster needs, and `tool` in two versions, from a server on this computer.

    kubeadm runs IMAGE, flannel one of a registry that does not answer.
    """

    def source(name):
        content = name.encode() * 1000
        return {ARCH: {"url": server.put(name, content), "sha256": hexsum(content), "format": "raw"}}

    parts = ("containerd", "runc", "cni_plugins", "crictl", "kubeadm", "kubelet", "kubectl")
    components = {name: {"members": {"": f"usr/bin/{name}"}, "versions": {"v1.36.4": source(name)}} for name in parts}
    for name in ("flannel", "metallb", "local_path"):
        components[name] = {"versions": {"v1.0.0": source(name)}}
    versions = {"v1.0.0": source("tool-1"), "v2.0.0": source("tool-2")}
    components["tool"] = {"members": {"": "usr/bin/tool"}, "mode": "0755", "versions": versions}
    components["kubeadm"]["versions"]["v1.36.4"]["images"] = [IMAGE]
    for name in ("flannel", "metallb", "local_path"):
        components[name]["versions"]["v1.0.0"]["images"] = [ABSENT] if name == "flannel" else []
    file = tmp_path / "catalogue.yml"
    file.write_text(yaml.safe_dump({"components": components}))
    monkeypatch.setenv("OHMYKUBE_CATALOGUE", str(file))
    return file
