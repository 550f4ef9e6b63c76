"""What was pulled once is all that a cluster needs: it is made with no way out, and with its sources gone."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME, NAMESPACE = "cut", "ohmykube-test-cut"


@pytest.fixture
def inside() -> Iterator[Sequence[str]]:
    """A command's beginning that lets it run in a network namespace that has loopback alone."""
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True, timeout=30)
    try:
        subprocess.run(["ip", "-n", NAMESPACE, "link", "set", "lo", "up"], check=True, timeout=30)
        yield ["nsenter", f"--net=/run/netns/{NAMESPACE}"]
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True, timeout=30)


def test_a_cluster_is_made_with_the_network_cut(
    ohmykube: CommandLine, bundle: Bundle, inside: Sequence[str], tmp_path: Path
) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(bundle.folder, sources, ignore=shutil.ignore_patterns("images"), copy_function=shutil.copy)
    shutil.rmtree(ohmykube.home / "cache/packages", ignore_errors=True)
    flags = replace(bundle, folder=sources).flags
    wish = tmp_path / "dev.yaml"
    wish.write_text(
        f"apiVersion: ohmykube.dev/v1\nkind: Cluster\nmetadata: {{name: {NAME}}}\n"
        f"spec: {{provider: nspawn, kubernetesVersion: {bundle.version}, workers: [{{count: 1}}]}}\n"
    )
    pulled = ohmykube.data("cache", "pull", "--file", str(wish), "--catalogue", str(sources / "catalogue.yml"))
    assert {row["kind"] for row in pulled} == {"package", "file", "image", "machine"}
    for folder in filter(Path.is_dir, sources.iterdir()):
        shutil.rmtree(folder)

    cut = replace(ohmykube, prefix=tuple(inside))
    assert "default" not in cut.run(["ip", "route"], tmp_path)
    try:
        cut.text("up", "--file", str(wish), *flags[:-2])
        cut.smoke(NAME)
    finally:
        cut.text("down", "--force", "--name", NAME)
