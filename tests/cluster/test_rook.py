"""Ceph's objects before a real API server: it takes every one of them, in both layouts. Ceph itself is not run.

Rook's manifests are in the test bundle, or this is skipped: manifests/rook/{crds,common,csi-operator,operator}.yaml.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import health, objects, upstream

from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import soon

pytestmark = pytest.mark.cluster

NAME = "rook"
FILES = ("crds", "common", "csi-operator", "operator")
APPLY = ("apply", "--server-side", "--force-conflicts", "--field-manager=ohmykube", "--filename=-")


@pytest.fixture
def texts(bundle: Bundle) -> list[str]:
    files = [bundle.folder / f"manifests/rook/{name}.yaml" for name in FILES]
    if not all(file.exists() for file in files):
        pytest.skip("Rook's manifests are not in the test bundle: manifests/rook")
    return [file.read_text() for file in files]


@pytest.fixture
def kubeconfig(texts: list[str], ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> Iterator[Path]:
    """A cluster of one node, and Rook's manifests as the role applies them. Their pods find no image."""
    flags = ("--provider", "nspawn", "--workers", "0", "--lb", "none", "--csi", "none")
    try:
        ohmykube.data("up", "--name", NAME, *flags, *bundle.flags)
        path = ohmykube.cluster(NAME) / "kubeconfig"
        manifest = upstream.upstream(texts, taints=["only"], replicas=1)

        def applied() -> bool:
            try:
                bundle.kubectl(path, *APPLY, stdin=manifest)
            except AssertionError as error:
                assert "no matches for kind" in str(error), error  # kinds that come with the same manifest
                return False
            return True

        assert soon(applied)
        yield path
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def test_a_real_api_server_takes_every_object(kubeconfig: Path, bundle: Bundle) -> None:
    for nodes in (1, 3):
        devices = {f"node-{number}": ["/dev/vdb"] for number in range(nodes)}
        text = objects.cluster(devices, image="quay.io/ceph/ceph:v20.2.4", taints=["only"], default_class=True)
        said = bundle.kubectl(kubeconfig, *APPLY, "--dry-run=server", "--validate=strict", "--output=name", stdin=text)
        assert len(said.split()) == len([item for item in yaml.safe_load_all(text) if item])

    claims = [health.claim("ceph-block", bucket=False), health.claim("ceph-bucket", bucket=True)]
    written = json.dumps({"apiVersion": "v1", "kind": "List", "items": claims})
    bundle.kubectl(kubeconfig, *APPLY, "--dry-run=server", "--validate=strict", stdin=written)

    wrong = yaml.safe_dump(next(yaml.safe_load_all(text))).replace("allowMultiplePerNode", "allowMultiplePerNodes")
    with pytest.raises(AssertionError, match="allowMultiplePerNodes"):
        bundle.kubectl(kubeconfig, *APPLY, "--dry-run=server", "--validate=strict", stdin=wrong)

    there = bundle.items(kubeconfig, "cephclusters", "--namespace=rook-ceph")
    assert there == [], "a dry run has made something"
    # Nothing runs there, which is what the role would say while it waits.
    (line,) = health.missing(there, [], 0)
    assert line == "there is no CephCluster"
