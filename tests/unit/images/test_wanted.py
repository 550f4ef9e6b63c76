"""What lists images: manifests, charts, kubeadm's list, a cluster file."""

import io
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact, Catalogue

from ohmykube.errors import OhmykubeError
from ohmykube.images import charts
from ohmykube.images.charts import chart_images, find_helm
from ohmykube.images.wanted import Tools, Wishes, references
from tests.unit.images.programs import HANGS, program, search

POD = "kind: Pod\nspec: {containers: [{image: 'IMAGE'}]}\n"
KUBEADM = Artifact("kubeadm", "v1.36.4", "amd64", "https://example.org/kubeadm", images=("kube:1", "pause:1"))
# Renders its arguments, so that a test sees them.
HELM = """#!/bin/sh
case "$3" in *broken*) echo "Error: it lacks a value" >&2; exit 1 ;; *bare*) exit 0 ;; esac
echo "# $*" >> "$(dirname "$0")/asked"
echo 'kind: Job'
echo 'spec: {template: {spec: {containers: [{image: "of-chart:1"}]}}}'
"""


@dataclass
class Sources:
    offline: bool = False
    catalogue: Catalogue = field(default_factory=Catalogue.load)

    def wanted(self, cluster: object) -> list[Artifact]:
        flannel = Artifact("flannel", "v1", "any", "https://example.org/f", images=("flannel:1",))
        return [KUBEADM, Artifact("runc", "v1", "amd64", "https://example.org/runc"), flannel]


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", search(tmp_path / "bin"))
    return program(tmp_path / "bin", "helm", HELM)


def listed(helm: Path = Path("helm"), stdin: str = "", sources: Sources | None = None, **wishes: object) -> list[str]:
    tools = Tools(lambda: stdin, lambda: helm, lambda file: file)  # type: ignore[arg-type, return-value]
    return references(Wishes(**wishes), sources or Sources(), tools, "amd64")  # type: ignore[arg-type]


def test_everything_at_once_and_each_once(helm: Path, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD.replace("IMAGE", "of-file:1"))
    found = listed(
        helm,
        stdin=POD.replace("IMAGE", "of-stdin:1"),
        references=("own:1", "of-file:1"),
        manifests=(tmp_path / "pod.yaml", Path("-")),
        charts=("./chart",),
        file=tmp_path / "dev.yaml",
    )
    assert found == ["own:1", "of-file:1", "of-stdin:1", "of-chart:1", "kube:1", "pause:1", "flannel:1"]
    assert listed() == []


def test_kubeadms_list_of_a_version(tmp_path: Path) -> None:
    catalogue = Catalogue.load()
    for version in catalogue.versions("kubeadm"):
        found = listed(versions=(version,))
        assert f"registry.k8s.io/kube-apiserver:{version}" in found
        assert len(found) == 7
    newer = tmp_path / "newer.yml"
    newer.write_text("components: {kubeadm: {versions: {v1.99.0: {amd64: {}}}}}\n")
    with pytest.raises(OhmykubeError) as caught:
        listed(versions=("v1.99.0",), sources=Sources(catalogue=Catalogue.load([newer])))
    assert caught.value.code == "catalogue.no-images"
    assert "kubeadm config images list" in caught.value.hint


def test_what_lists_nothing_is_the_wrong_file(helm: Path, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("kind: ConfigMap\n")
    for wishes in ({"manifests": (tmp_path / "map.yaml",)}, {"charts": ("./bare",)}):
        with pytest.raises(OhmykubeError) as caught:
            listed(helm, **wishes)
        assert caught.value.code == "image.none-listed"
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(OhmykubeError) as caught:
        listed(manifests=(tmp_path / "binary.yaml",))
    assert caught.value.code == "file.unreadable"


def test_a_chart_that_helm_would_fetch_is_none_offline(helm: Path, tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    assert listed(helm, sources=Sources(offline=True), charts=(str(tmp_path / "chart"),)) == ["of-chart:1"]
    with pytest.raises(OhmykubeError) as caught:
        listed(helm, sources=Sources(offline=True), charts=(str(tmp_path / "chart"), "oci://reg.test/a", "repo/b"))
    assert caught.value.code == "chart.offline"
    assert caught.value.message.startswith("oci://reg.test/a, repo/b")


class TestHelm:
    def test_values_and_version_are_passed_on(self, helm: Path, tmp_path: Path) -> None:
        chart_images(helm, "oci://reg.test/chart", [Path("a.yaml"), Path("b.yaml")], "v1.36.4")
        asked = (tmp_path / "bin/asked").read_text()
        assert "oci://reg.test/chart --skip-tests --kube-version v1.36.4 --values a.yaml --values b.yaml" in asked

    def test_its_own_words_when_it_fails(self, helm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(OhmykubeError, match=r"cannot render \./broken: Error: it lacks a value") as caught:
            chart_images(helm, "./broken", [], "v1.36.4")
        assert "--values FILE" in caught.value.hint
        monkeypatch.setattr(charts, "_RENDER_TIMEOUT", 0.2)
        with pytest.raises(OhmykubeError, match="was not done within"):
            chart_images(program(tmp_path / "bin", "slow", HANGS), "./chart", [], "v1.36.4")

    def test_that_of_the_catalogue_where_there_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", search(tmp_path / "bin"))
        package = tmp_path / "helm-v3-amd64-abc.tar.zst"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            info = tarfile.TarInfo("usr/local/bin/helm")
            info.size = len(HELM)
            archive.addfile(info, io.BytesIO(HELM.encode()))
        package.write_bytes(zstandard.compress(buffer.getvalue()))
        fetched: list[int] = []

        def fetch() -> Path:
            fetched.append(1)
            return package

        found = find_helm(tmp_path / "home" / "tools", fetch)
        assert found == find_helm(tmp_path / "home" / "tools", fetch)
        assert chart_images(found, "./chart", [], "v1.36.4") == ["of-chart:1"]
        assert len(fetched) == 2

    @pytest.mark.skipif(not shutil.which("helm"), reason="helm is not installed")
    def test_a_real_one(self, tmp_path: Path) -> None:
        chart = tmp_path / "chart"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text('apiVersion: v2\nname: app\nversion: 1.0.0\nkubeVersion: ">=1.36.0"\n')
        (chart / "values.yaml").write_text("tag: v1\nsidecar: false\n")
        (chart / "templates/pod.yaml").write_text(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers:\n"
            "    - {name: app, image: 'reg.test/app:{{ .Values.tag }}'}\n"
            "{{- if .Values.sidecar }}\n    - {name: side, image: 'reg.test/side:v1'}\n{{- end }}\n"
        )
        (chart / "templates/test.yaml").write_text(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"
            "spec: {containers: [{name: t, image: 'reg.test/only-a-test:v1'}]}\n"
        )
        (tmp_path / "more.yaml").write_text("tag: v2\nsidecar: true\n")
        helm = Path(str(shutil.which("helm")))
        assert chart_images(helm, str(chart), [], "v1.36.4") == ["reg.test/app:v1"]
        found = chart_images(helm, str(chart), [tmp_path / "more.yaml"], "v1.36.4")
        assert found == ["reg.test/app:v2", "reg.test/side:v1"]
        with pytest.raises(OhmykubeError) as caught:
            chart_images(helm, str(tmp_path / "nowhere"), [], "v1.36.4")
        assert caught.value.code == "chart.failed"
