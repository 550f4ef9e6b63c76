"""What was pulled once is all that a cluster needs: it is made with no way out, and with its sources gone."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.clusters import Bundle, CommandLine

pytestmark = pytest.mark.cluster

NAME = "cut"


@pytest.fixture
def inside() -> Iterator[Sequence[str]]:
    """A command's beginning that lets it run in a network namespace that has loopback alone.

    A process holds it: `ip netns` would leave a mount, which others that run meanwhile would find.
    """
    argv = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "up\n"
            yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        finally:
            holder.kill()


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
