"""Folders of add-ons: what they say, and everything that is wrong in them."""

from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons import definition, rendering, sets
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.definition import of_files, read_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, each
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import BUNDLE

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello, namespace: default}\ndata: {text: hello}\n"
RUNS = """
apiVersion: v1
kind: List
items:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: web, labels: {app: web}}
    spec: {template: {spec: {containers: [{name: web, image: "example.test/web:1", args: [a, b]}]}}}
"""


def addon(metadata="description: says hello\n", name="hello", **files):
    texts = {f"{key}.yml": text for key, text in (files or {"config": CONFIG}).items()}
    return of_files(name, {"addon.yml": metadata, **texts}, "/x")


def problems(*args, **files):
    with pytest.raises(OhmykubeError) as caught:
        addon(*args, **files)
    return [f"{error.message} [{error.hint}]" for error in each(caught.value)]


def test_all_that_an_add_on_can_say():
    found = addon(
        """
        version: 1.5
        description: all
        requires: [metrics-server]
        priority: 10
        images: [example.test/made-by-operator:1]
        ready: [Deployment/web/made]
        timeout: 60
        secrets: [web/login/password]
        """,
        web=RUNS,
    )
    assert (found.version, found.requires, found.priority, found.timeout) == ("1.5", ("metrics-server",), 10, 60)
    assert found.secrets == ("web/login/password",)
    assert rendering.images(found) == ["example.test/made-by-operator:1", "example.test/web:1"]


def test_every_problem_is_told_with_its_line():
    found = problems("requires: metrics-server\npriority: 1000\nreday: []\nready: [Pod/a/b]\n", config="kind: A\n")
    assert [words.partition(" [")[0] for words in found] == [
        "/x/addon.yml:1: requires must be a list of names",
        "/x/addon.yml:2: priority must be a number from 0 to 100",
        "/x/addon.yml:3: reday is no known key",
        "/x/addon.yml:4: 'Pod/a/b' is no workload: write Deployment/namespace/name, or a StatefulSet or DaemonSet",
        "/x/config.yml:1: an object has an apiVersion and a kind",
    ]
    assert "did you mean 'ready'?" in found[2]


@pytest.mark.parametrize(
    ("metadata", "files", "words"),
    [
        ("component: metrics_server", {"config": CONFIG}, "a component and manifests"),
        ("requires: [hello]", {"config": CONFIG}, "requires itself"),
        ("- a", {"config": CONFIG}, "no mapping"),
        ("a: [", {"config": CONFIG}, "/x/addon.yml:1"),
        ("", {"config": "a: 1\n---\n- b: ["}, "/x/config.yml:3"),
        (
            "",
            {"config": CONFIG.replace("name: hello", "generateName: a")},
            "/x/config.yml:1: ConfigMap has no metadata.name",
        ),
        ("patches: [{kind: A}]", {"config": CONFIG}, "patches must be a list"),
        (
            "patches: [{kind: A, name: b, patch: [{op: move, path: /a}]}]",
            {"config": CONFIG},
            "op (add, remove, replace)",
        ),
        ("patches: [{kind: A, name: b, patch: [{op: add, path: /a}]}]", {"config": CONFIG}, "a value belongs to"),
        (
            "secrets: [login/password]",
            {"config": CONFIG},
            "'login/password' is no key of a Secret: write namespace",
        ),
        ("secrets: [a/Login/b]", {"config": CONFIG}, "'a/Login/b' is no key of a Secret"),
        ("version: true", {"config": CONFIG}, "version must be text"),
    ],
)
def test_what_is_no_add_on(metadata, files, words):
    assert words in "\n".join(problems(metadata, **files))


def test_one_without_a_manifest_and_one_with_a_name_that_is_none():
    with pytest.raises(OhmykubeError, match="no component, chart or manifests"):
        of_files("hello", {"addon.yml": ""}, "/x")
    assert "cannot name an add-on" in problems(name="Hello")[0]


ODD = st.sampled_from(
    [None, True, -1, 2**70, 0.5, "", "a", [], [1], ["a"], [None], {}, {"a": 1}, [{"kind": "A"}], [{}]]
)


@given(st.dictionaries(st.sampled_from([*definition._KEYS, "other"]), ODD))
def test_whatever_it_says_is_an_add_on_or_an_error(data):
    try:
        addon(yaml.safe_dump(data))
    except OhmykubeError as error:
        assert all(one.exit_code == 2 for one in each(error))


def test_a_folder_is_its_yaml_and_json(tmp_path):
    for name in ("addon.yml", "a.yaml", "b.json", ".hidden.yml", "README.md"):
        (tmp_path / name).write_text(name)
    assert sorted(read_folder(tmp_path)) == ["a.yaml", "addon.yml", "b.json"]
    (tmp_path / "a.yaml").write_text("x" * 2**20)
    with pytest.raises(OhmykubeError, match="more than"):
        read_folder(tmp_path)
    (tmp_path / "addon.yml").unlink()
    with pytest.raises(OhmykubeError, match=r"there is no addon\.yml"):
        read_folder(tmp_path)
    with pytest.raises(OhmykubeError, match="No such file"):
        read_folder(tmp_path / "nowhere")


def test_objects_get_a_label_and_patches_what_they_name():
    patch = """
patches:
  - kind: Deployment
    name: web
    patch:
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: c}
      - {op: replace, path: /spec/template/spec/containers/0/args/0, value: A}
      - {op: remove, path: /spec/template/spec/containers/0/name}
      - {op: add, path: /metadata/labels/example.test~1a, value: b}
"""
    found = addon(patch, web=RUNS)
    (item,) = rendering.render(found, list(found.manifests.values()))
    assert item["metadata"]["labels"] == {"app": "web", "ohmykube.dev/addon": "hello", "example.test/a": "b"}
    assert item["spec"]["template"]["spec"]["containers"] == [{"image": "example.test/web:1", "args": ["A", "b", "c"]}]


@pytest.mark.parametrize(
    "patch",
    [
        "kind: Deployment, name: other, patch: [{op: remove, path: /a}]",
        "kind: Deployment, name: web, patch: [{op: remove, path: /nowhere/x}]",
        "kind: Deployment, name: web, patch: [{op: replace, path: /spec/none, value: 1}]",
        "kind: Deployment, name: web, patch: [{op: add, path: /kind/x, value: 1}]",
        "kind: Deployment, name: web, namespace: else, patch: [{op: remove, path: /kind}]",
    ],
)
def test_a_patch_that_does_not_fit_is_an_error(patch):
    found = addon(f"patches: [{{{patch}}}]", web=RUNS)
    with pytest.raises(OhmykubeError) as caught:
        rendering.render(found, list(found.manifests.values()))
    assert caught.value.code == "addon.patch"


def test_a_job_does_not_vanish_when_it_is_done():
    job = "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {ttlSecondsAfterFinished: 0, template: {}}}"
    assert rendering.render(addon(a=job), [job])[0]["spec"] == {"template": {}}


def test_the_clusters_own_namespaces_are_in_no_add_on():
    found = addon(a="apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}")
    with pytest.raises(OhmykubeError, match="cluster's own"):
        rendering.images(found)


def test_a_secret_with_a_random_value_is_in_no_manifest_and_belongs_to_one_add_on(tmp_path):
    login = "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: hello}\n"
    told = {"addon.yml": "secrets: [hello/login/password]", "a.yml": CONFIG}
    charts = Charts(Catalogue.load(), lambda _: None, tmp_path, "v1.36.4")
    (found,) = sets.described([{"name": "hello", "files": told}], charts)
    assert found["install"]["secrets"] == ["hello/login/password"]
    assert "Secret" not in found["install"]["manifest"]
    with pytest.raises(OhmykubeError, match="hello has the Secret login"):
        sets.described([{"name": "hello", "files": {**told, "b.yml": login}}], charts)
    with pytest.raises(OhmykubeError, match="Secret login is part of the add-ons hello and other"):
        sets.described(
            [{"name": "hello", "files": told}, {"name": "other", "files": {"addon.yml": "", "b.yml": login}}], charts
        )


def test_what_is_built_in_can_be_read_and_its_manifest_is_in_the_catalogue():
    catalogue = Catalogue.load()
    for name, found in definition.builtin().items():
        assert found.description, name
        artifact = sets.artifact(found, Charts(catalogue, lambda _: None, Path(), "v1.36.4"))
        assert artifact.images, name
        assert artifact.version, name
        assert bool(found.fetched) == bool(artifact.url) == bool(artifact.sha256), name


@pytest.mark.skipif(not (BUNDLE / "manifests/metrics-server.yaml").exists(), reason="there is no test bundle")
def test_metrics_server_is_told_to_trust_kubelets():
    text = (BUNDLE / "manifests/metrics-server.yaml").read_text()
    items = rendering.render(definition.builtin()["metrics-server"], [text])
    (deployment,) = [item for item in items if item["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert "--kubelet-insecure-tls" in container["args"]
    assert container["readinessProbe"]["initialDelaySeconds"] == 0


def test_a_wish_brings_what_it_requires_and_own_folders(tmp_path):
    (tmp_path / "addon.yml").write_text("requires: [metrics-server]")
    (tmp_path / "a.yml").write_text(CONFIG)
    charts = Charts(Catalogue.load(), lambda _: None, tmp_path, "v1.36.4")
    found = sets.described([{"name": "mine", "path": str(tmp_path)}], charts)
    assert [each["name"] for each in found] == ["metrics-server", "mine"]
    assert found[0]["fetch"] == [{"component": "metrics_server", "version": "v0.9.0"}]
    assert found[0]["install"]["objects"] == []  # it is not in the cache
    assert found[1]["install"]["objects"] == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hello", "namespace": "default"}}
    ]
    third = {"name": "third", "files": {"addon.yml": "requires: [mine]", "c.yml": CONFIG.replace("hello", "third")}}
    wished = [{"name": "mine", "path": str(tmp_path)}, third]
    assert [each["name"] for each in sets.described(wished, charts, ["mine"])] == ["metrics-server", "mine"]
    assert [each["name"] for each in sets.described(wished, charts)] == ["metrics-server", "mine", "third"]
    other = {"name": "other", "files": {"addon.yml": "", "b.yml": CONFIG.replace(", namespace: default", "")}}
    with pytest.raises(OhmykubeError, match="ConfigMap hello is part of the add-ons mine and other"):
        sets.described([{"name": "mine", "path": str(tmp_path)}, other], charts)
