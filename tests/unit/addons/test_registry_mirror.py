"""The add-on registry-mirror: its configuration run by Debian's registry, and what nodes are told of it."""

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import registries
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import definition, rendering

from ohmykube.model.spec import Network
from tests.patience import PATIENCE, soon
from tests.unit.docs.blocks import TOP, blocks
from tests.unit.images.registry import PROGRAM, Registry, serve

ADDON = definition.builtin()["registry-mirror"]
ITEMS = {item["kind"]: item for item in rendering.render(ADDON, list(ADDON.manifests.values()))}
CONFIG = yaml.safe_load(ITEMS["ConfigMap"]["data"]["config.yml"])
URL = f"http://{ITEMS['Service']['spec']['clusterIP']}:{ITEMS['Service']['spec']['ports'][0]['port']}"
_ACCEPT = {"Accept": "application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json"}


@contextmanager
def mirror(folder: Path, upstream: Registry) -> Iterator[str]:
    """The add-on's configuration, but for places. Its address."""
    assert PROGRAM
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        **CONFIG,
        "http": {**CONFIG["http"], "addr": address},
        "proxy": {"remoteurl": f"http://{upstream.address}"},
    }
    config["storage"] = {**config["storage"], "filesystem": {"rootdirectory": str(folder / "data")}}
    folder.mkdir()
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        soon(lambda: answers(f"http://{address}/v2/") or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        process.kill()
        process.wait()


def get(url: str) -> bytes:
    request = urllib.request.Request(url, headers=_ACCEPT)  # noqa: S310 - on loopback
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def answers(url: str) -> bool:
    try:
        get(url)
    except OSError:
        return False
    return True


def pulled(address: str, name: str, tag: str) -> dict[str, bytes]:
    """All documents and blobs of an image, by digest, as a node would fetch them."""
    base = f"http://{address}/v2/{name}"
    index = json.loads(get(f"{base}/manifests/{tag}"))
    found: dict[str, bytes] = {}
    for entry in index["manifests"]:
        found[entry["digest"]] = get(f"{base}/manifests/{entry['digest']}")
        manifest = json.loads(found[entry["digest"]])
        for blob in (manifest["config"], *manifest["layers"]):
            found[blob["digest"]] = get(f"{base}/blobs/{blob['digest']}")
    return found


def kept(folder: Path) -> set[str]:
    """Digests of what it has written."""
    return {f"sha256:{path.parent.name}" for path in folder.rglob("blobs/sha256/*/*/data")}


@pytest.mark.skipif(PROGRAM is None, reason="no registry: apt-get install docker-registry")
def test_what_was_pulled_once_is_there_without_the_upstream(tmp_path: Path) -> None:
    with ExitStack() as upstreams, ExitStack() as mirrors:
        upstream = upstreams.enter_context(serve(tmp_path / "upstream"))
        upstream.push("library/hello", {"amd64": b"hello", "arm64": b"hallo"}, "v1")
        address = mirrors.enter_context(mirror(tmp_path / "mirror", upstream))
        first = pulled(address, "library/hello", "v1")
        assert len(first) == 9  # three manifests, each with its configuration and its layer
        assert soon(lambda: kept(tmp_path / "mirror") >= first.keys())  # it passes on first, and writes then
        upstreams.close()
        assert pulled(address, "library/hello", "v1") == first


def test_nodes_ask_it_first_and_the_registry_itself_then() -> None:
    [said] = [
        data["spec"]["registries"]
        for block in blocks(TOP / "docs/registries.md")
        if block.language == "yaml"
        and "registry-mirror" in (data := yaml.safe_load(block.text))["spec"].get("addons", [])
    ]
    assert said == {"docker.io": {"mirrors": [URL]}}
    [file] = registries.files(said)
    assert file["content"].splitlines()[1:] == [
        'server = "https://registry-1.docker.io"',
        "",
        f'[host."{URL}"]',
        '  capabilities = ["pull", "resolve"]',
    ]


def test_its_address_is_one_that_nobody_else_is_given() -> None:
    """The API server leaves the first sixteenth of a network, at most 256 addresses, to those who name one."""
    network = ip_network(Network().service_cidr)
    position = int(ip_address(ITEMS["Service"]["spec"]["clusterIP"])) - int(network.network_address)
    assert 16 < position < min(max(16, network.num_addresses // 16), 256)


def test_it_runs_what_its_configuration_is_for() -> None:
    pod: Any = ITEMS["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["command"][-1] == f"{mounts['config']}/config.yml"
    assert mounts["data"] == CONFIG["storage"]["filesystem"]["rootdirectory"]
    assert CONFIG["http"]["addr"] == f":{container['ports'][0]['containerPort']}"
    assert f"registry:{ADDON.version}@sha256:" in container["image"]
    assert "storageClassName" not in ITEMS["PersistentVolumeClaim"]["spec"]  # the default one
