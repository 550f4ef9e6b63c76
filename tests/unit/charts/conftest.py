"""A small chart."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

CHART = {
    "Chart.yaml": "{apiVersion: v2, name: web, version: 1.0.0}\n",
    "values.yaml": "text: hello\nimage: example.test/web:1\n",
    "crds/thing.yaml": """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.test}
spec: {group: example.test, scope: Cluster, names: {kind: Thing}}
""",
    "templates/all.yaml": """
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {text: {{ required "text is needed" .Values.text }}, kubernetes: {{ .Capabilities.KubeVersion }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: {{ .Release.Namespace }}}
spec: {template: {spec: {containers: [{name: web, image: {{ .Values.image | quote }}}]}}}
---
apiVersion: example.test/v1
kind: Thing
metadata: {name: one}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata: {name: try, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: try, image: "example.test/try:1"}]}
""",
}


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "web-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in CHART.items():
            info = tarfile.TarInfo(f"web/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def chart(tmp_path: Path) -> Callable[..., Path]:
    """A folder of an add-on with the chart, further files of it, and what addon.yml says."""

    def make(metadata: str = "chart: ./web\n", **files: str) -> Path:
        folder = tmp_path / "hello"
        for name, text in {**CHART, **{f"templates/{key}.yaml": text for key, text in files.items()}}.items():
            (folder / "web" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "web" / name).write_text(text)
        (folder / "addon.yml").write_text(metadata)
        return folder

    return make
