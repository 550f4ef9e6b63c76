"""Charts of add-ons: read with their folder, rendered by the real helm, and what is taken of them."""

import hashlib
import json
import os
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import sets
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import of_files, read_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import helm as program
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import objects, release
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, each

from tests.unit.charts.conftest import CHART

Make = Callable[..., Path]
HOOK = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: init, annotations: {helm.sh/hook: pre-install}}\n"


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def charts(helm: Path, packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Charts:
    """A cache with helm in it, and a catalogue with the chart as its component `web`."""
    folder = tmp_path_factory.mktemp("charts")
    own = {"url": f"file:{helm}", "sha256": sha(helm)}
    web = {"url": f"file:{packed}", "sha256": sha(packed)}
    components = {
        program.component(): {"versions": {"v9.9.9": {"amd64": own, "arm64": own}}},
        "web": {"versions": {"v1.0.0": {"any": web, "images": ["a.test/b:1"]}}},
    }
    (folder / "own.yml").write_text(yaml.safe_dump({"components": components}))
    found = Charts.of_home(folder / "home", Catalogue.load([folder / "own.yml"]), "v1.36.4")
    Cache(folder / "home/cache/packages").ensure(found.helm, offline=True)
    return found


def described(charts: Charts, folder: Path) -> dict:
    (found,) = sets.described([{"name": "hello", "path": str(folder)}], charts)
    return found


def refused(charts: Charts, folder: Path) -> OhmykubeError:
    with pytest.raises(OhmykubeError) as caught:
        described(charts, folder)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_chart_goes_the_way_of_manifests(charts: Charts, chart: Make) -> None:
    folder = chart("chart: ./web/\nvalues: {text: own, image: 'example.test/own:2'}\nimages: ['example.test/more:1']\n")
    found = described(charts, folder)
    items = list(yaml.safe_load_all(found["install"]["manifest"]))
    assert [(item["kind"], item["metadata"].get("namespace")) for item in items] == [
        ("Namespace", None),
        ("CustomResourceDefinition", None),
        ("Secret", "hello"),
        ("ClusterRole", None),
        ("Deployment", "hello"),
        ("Thing", None),
    ]
    assert {item["metadata"]["labels"]["ohmykube.dev/addon"] for item in items} == {"hello"}
    assert items[2]["stringData"] == {"text": "own", "kubernetes": "v1.36.4"}
    assert items[2]["metadata"]["name"] == "hello"
    assert found["images"] == ["example.test/more:1", "example.test/own:2"]
    assert found["fetch"] == [charts.needed]
    assert found["install"]["validate"] is False
    patch = "{kind: Secret, name: hello, patch: [{op: add, path: /type, value: a}]}"
    patched = chart(f"chart: ./web\nnamespace: kube-system\npatches: [{patch}]")
    items = list(yaml.safe_load_all(described(charts, patched)["install"]["manifest"]))
    assert items[0]["kind"] == "CustomResourceDefinition"  # the cluster's own namespace is not the add-on's
    assert (items[1]["metadata"]["namespace"], items[1]["type"]) == ("kube-system", "a")


def test_what_yaml_1_1_makes_more_of_is_text_as_it_is_to_kubernetes(charts: Charts, chart: Make) -> None:
    data = "  match: =\n  date: 2026-01-02\n  two: [=, '!=']\n"
    odd = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: odd}}\ndata:\n{data}"
    found = described(charts, chart("chart: ./web", odd=odd))
    (item,) = [item for item in yaml.safe_load_all(found["install"]["manifest"]) if item["kind"] == "ConfigMap"]
    assert item["data"] == {"match": "=", "date": "2026-01-02", "two": ["=", "!="]}


def test_one_of_the_catalogue_is_rendered_once_it_is_in_the_cache(charts: Charts, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "addon.yml").write_text("chart: web\nnamespace: shop\n")
    before = described(charts, folder)
    assert (before["install"]["objects"], before["images"]) == ([], ["a.test/b:1"])
    assert before["fetch"] == [{"component": "web", "version": "v1.0.0"}, charts.needed]
    Cache(charts.tools.parent / "cache/packages").ensure(charts.catalogue.artifact("web", "any"), offline=True)
    after = described(charts, folder)
    assert (after["install"]["version"], after["images"]) == ("v1.0.0", ["example.test/web:1"])
    assert after["install"]["objects"][0] == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


def test_an_archive_beside_is_kept_in_the_wish_as_text(charts: Charts, packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "web-1.0.0.tgz").write_bytes(packed.read_bytes())
    (folder / "addon.yml").write_text("chart: ./web-1.0.0.tgz\n")
    files = read_folder(folder)
    assert sorted(files) == ["addon.yml", "web-1.0.0.tgz"]
    (found,) = sets.described([{"name": "mine", "files": json.loads(json.dumps(files))}], charts)
    assert len(found["install"]["objects"]) == 6
    (folder / "web-1.0.0.tgz").write_bytes(os.urandom(2**20))
    with pytest.raises(OhmykubeError, match="more than the 1048576"):
        read_folder(folder)


def test_a_folder_has_no_more_than_its_chart(chart: Make, tmp_path: Path) -> None:
    folder = chart()
    (folder / "other.tgz").write_bytes(b"not named")
    (folder / "web/.git").mkdir()
    (folder / "web/.git/index").write_bytes(b"\xff")
    (folder / "web/.helmignore").write_text("*.md\n")
    assert sorted(read_folder(folder)) == ["addon.yml", *(f"web/{name}" for name in sorted([*CHART, ".helmignore"]))]
    (folder / "web/logo.png").write_bytes(b"\x89PNG")
    with pytest.raises(OhmykubeError, match=r"logo.png is no text; `helm package`"):
        read_folder(folder)
    for said, words in (("../hello/web", "outside"), ("none", "is no chart: there is no none/Chart.yaml")):
        (folder / "addon.yml").write_text(f"chart: ./{said}\n")
        with pytest.raises(OhmykubeError, match=words) as caught:
            read_folder(folder)
        assert caught.value.code == "addon.unreadable"
    with pytest.raises(ValueError, match="outside"):
        release.write({"../Chart.yaml": ""}, tmp_path / "chart")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("component: metrics_server\nchart: web", "it has a component and chart"),
        ("chart: Web", "/x/addon.yml:1: chart must be a component of the catalogue, or begin with ./"),
        ("chart: web\nvalues: [a]", "/x/addon.yml:2: values must be a mapping"),
        ("chart: web\nnamespace: Shop", "/x/addon.yml:2: namespace must be a name"),
        ("component: metrics_server\nvalues: {}\nnamespace: a", "namespace and values say something to a chart alone"),
        ("chart: ./web", "/x: there is no ./web in it"),
    ],
)
def test_what_is_no_chart(metadata: str, words: str) -> None:
    with pytest.raises(OhmykubeError) as caught:
        of_files("hello", {"addon.yml": metadata}, "/x")
    assert words in "\n".join(error.message for error in each(caught.value))
    with pytest.raises(OhmykubeError, match="a chart and manifests"):
        of_files(
            "hello", {"addon.yml": "chart: web", "more.yml": "{apiVersion: v1, kind: A, metadata: {name: a}}"}, "/x"
        )


def test_hooks_that_helm_would_run_are_refused_all_at_once(charts: Charts, chart: Make) -> None:
    gone = HOOK.replace("init", "clean").replace("pre-install", "post-delete, test")
    after = HOOK.replace("init", "after").replace("pre-install", '"post-install,post-upgrade"')
    error = refused(charts, chart(one=HOOK, two=after, three=gone))
    assert error.code == "chart.hooks"
    assert "Job init (pre-install); Job after (post-install,post-upgrade)" in error.message
    assert "clean" not in error.message


def test_what_a_chart_makes_up_is_refused_by_name(charts: Charts, chart: Make) -> None:
    random = "apiVersion: v1\nkind: Secret\nmetadata: {name: made}\nstringData: {password: {{ randAlphaNum 20 }}}\n"
    error = refused(charts, chart(made=random))
    assert (error.code, error.message) == ("chart.random", "hello is rendered otherwise each time: Secret/hello/made")
    test = random.replace("name: made", "name: made, annotations: {helm.sh/hook: test}")
    assert len(described(charts, chart(made=test))["install"]["objects"]) == 6


def test_helm_says_what_is_wrong_and_no_value(charts: Charts, chart: Make) -> None:
    folder = chart(
        "chart: ./web\nvalues: {auth: {password: hunter22}, text: ''}\n", bad="{{ fail .Values.auth.password }}"
    )
    error = refused(charts, folder)
    assert error.code == "chart.failed"
    assert "<values.auth.password>" in error.message
    assert "hunter22" not in str(error.as_dict())
    assert "values" not in repr(release.Release("a", "b", "c", '{"values": 1}'))


@pytest.mark.parametrize("text", ["a: 1", "- a", "{apiVersion: v1, kind: A, metadata: {generateName: a}}", "a: ["])
def test_what_is_no_object(charts: Charts, chart: Make, text: str) -> None:
    assert refused(charts, chart(odd=text)).code in ("chart.invalid", "chart.failed")
    with pytest.raises(OhmykubeError) as caught:
        objects.objects(text, "hello", "hello")
    assert caught.value.code == "chart.invalid"


def test_lists_are_taken_apart_and_an_own_namespace_is_the_charts() -> None:
    listed = (
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {x: y}}}]"
    )
    (item,) = objects.objects(listed, "hello", "a")
    assert item["metadata"]["labels"] == {"x": "y"}


FAKE = """#!{python}
import json, os, sys
from pathlib import Path
values = sys.stdin.read()
said = {{"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(), "values": values}}
said["mode"] = oct(os.stat(os.getcwd()).st_mode)
print(json.dumps({{"apiVersion": "v1", "kind": "A", "metadata": {{"name": "a"}}, "said": said}}))
"""


def test_helm_knows_nothing_of_the_person_and_values_are_in_no_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr(objects, "refuse_random", lambda *_: None)
    fake = tmp_path / "helm"
    fake.write_text(FAKE.format(python=sys.executable))
    fake.chmod(0o755)
    given = release.Release("web", "shop", "v1.36.4", '{"password": "hunter22"}', files=(("web/Chart.yaml", "a"),))
    said = yaml.safe_load(program.render(fake, given))["said"]
    home = said["cwd"]
    assert said["values"] == '{"password": "hunter22"}'
    assert "hunter22" not in str([said["argv"], said["env"]])
    assert said["argv"] == [
        "template",
        "web",
        f"{home}/chart/web",
        "--include-crds",
        "--namespace",
        "shop",
        "--kube-version",
        "v1.36.4",
        "--values",
        "-",
    ]
    assert "AWS_SECRET_ACCESS_KEY" not in said["env"]
    assert {said["env"][name] for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")} == {home}
    assert stat.S_IMODE(int(said["mode"], 8)) == 0o700
    assert not Path(home).exists()


def test_one_that_is_no_program_or_has_no_helm(tmp_path: Path) -> None:
    with pytest.raises(OhmykubeError, match="No such file"):
        program.render(tmp_path / "none", release.Release("web", "shop", "v1.36.4"))
    with tarfile.open(tmp_path / "helm-v1-amd64-abc.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("linux-amd64/LICENSE"))
    with pytest.raises(OhmykubeError, match="there is no helm in it"):
        program.unpacked(tmp_path / "helm-v1-amd64-abc.tar.gz", tmp_path / "tools")
