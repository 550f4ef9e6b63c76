"""Patches: kubeadm would pass over a name that it does not know, and fail late on what it cannot read."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.patches import TARGETS, check

GOOD = "spec: {priority: 1}\n"
STEPS = "[{op: add, path: /a, value: 1}]\n"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("suffix", ["", "0", "-mine"])
@pytest.mark.parametrize("kind", ["", "+strategic", "+merge"])
@pytest.mark.parametrize("extension", ["yaml", "json"])
def test_every_name_that_kubeadm_knows(target, suffix, kind, extension):
    assert check({f"{target}{suffix}{kind}.{extension}": GOOD}) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("etcd+json.yaml", STEPS),
        ("etcd+json.yaml", f"{STEPS}---\n{STEPS}"),
        ("etcd.json", '{"spec": {"priority": 1}}'),
        ("etcd.yaml", f"---\n{GOOD}---\n---\n{GOOD}"),
    ],
)
def test_patches_that_are_good(name, text):
    assert check({name: text}) == []


@pytest.mark.parametrize(
    ("name", "text", "words", "place"),
    [
        ("kube-apisrver.yaml", GOOD, "did you mean 'kube-apiserver'?", "p/kube-apisrver.yaml"),
        ("README.md", "x", "is no name of a patch", "p/README.md"),
        ("etcd.yml", GOOD, "is no name of a patch", "p/etcd.yml"),
        ("etcd", GOOD, "is no name of a patch", "p/etcd"),
        ("etcd+jsonpatch.yaml", STEPS, "is no name of a patch", "p/etcd+jsonpatch.yaml"),
        ("etcd+.yaml", GOOD, "is no name of a patch", "p/etcd+.yaml"),
        ("etcd.bak.yaml", GOOD, "is no name of a patch", "p/etcd.bak.yaml"),
        ("etcd.yaml", "a: [\n", "expected", "p/etcd.yaml:2"),
        ("etcd.yaml", "a: 1\nb: *x\n", "undefined alias", "p/etcd.yaml:2"),
        ("etcd.yaml", "", "says nothing", "p/etcd.yaml:1"),
        ("etcd.yaml", "# nothing\n---\n", "says nothing", "p/etcd.yaml:1"),
        ("etcd.yaml", "\n- a\n", "is no mapping", "p/etcd.yaml:2"),
        ("etcd.yaml", f"{GOOD}---\n3\n", "is no mapping", "p/etcd.yaml:3"),
        ("etcd+json.yaml", GOOD, "is no list of operations", "p/etcd+json.yaml:1"),
        ("etcd+json.yaml", "- {op: add, path: /a}\n- {op: put, path: /a}\n", "op is one of", "p/etcd+json.yaml:2"),
        ("etcd+json.yaml", "- {op: add}\n", "an op and a path", "p/etcd+json.yaml:1"),
        ("etcd+json.yaml", "- 3\n", "an op and a path", "p/etcd+json.yaml:1"),
        ("etcd.yaml", {"spec": {}}, "must be text", "p/etcd.yaml:1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(name, text, words, place):
    (error,) = check({name: text}, "p")
    assert error.code in ("kubeadm.patch", "file.syntax")
    assert words in f"{error.message} {error.hint}"
    assert place in error.message


def test_all_of_them_at_once():
    assert len(check({"a": "", "b": "", "etcd.yaml": "["})) == 3
