"""What is asked of, and applied to, the API: readiness, marks of nodes, manifests."""

import json
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import applying, kubectl, readiness
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import ADMIN, Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.node_marks import RECORD, Marks, difference, plan
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kubeadm.node import Node


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def seen(name="w1", labels=None, annotations=None, taints=()):
    metadata = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    return {"kind": "Node", "metadata": metadata, "spec": {"taints": list(taints)}}


def patched(item, patch):
    """A merge patch, as the API server applies it."""
    made = json.loads(json.dumps(item))
    for part in ("labels", "annotations"):
        values = {**made["metadata"][part], **patch.get("metadata", {}).get(part, {})}
        made["metadata"][part] = {key: value for key, value in values.items() if value is not None}
    made["spec"].update(patch.get("spec", {}))
    return made


names = st.sampled_from(["a", "b", "c"])
marks = st.builds(
    Marks,
    name=st.just("w1"),
    labels=st.dictionaries(names, names, max_size=3),
    annotations=st.dictionaries(names, names, max_size=2),
    taints=st.lists(
        st.builds("{}={}:{}".format, names, names, st.sampled_from(["NoSchedule", "NoExecute"])),
        max_size=3,
        unique_by=lambda text: (text[0], text[4:]),
    ),
)
FOREIGN = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


@given(marks, marks)
def test_a_patch_brings_what_is_wanted_takes_back_what_was_and_keeps_what_is_foreign(first, second):
    start = seen(labels={"foreign": "1"}, annotations={"foreign": "1"}, taints=[FOREIGN])
    once = patched(start, difference(first, start))
    twice = patched(once, difference(second, once))
    assert difference(second, twice) == {}
    assert twice["metadata"]["labels"] == {"foreign": "1", **second.labels}
    annotations = {key: value for key, value in twice["metadata"]["annotations"].items() if key != RECORD}
    assert annotations == {"foreign": "1", **second.annotations}
    ours = [
        f"{taint['key']}={taint['value']}:{taint['effect']}" for taint in twice["spec"]["taints"] if taint != FOREIGN
    ]
    assert sorted(ours) == sorted(second.taints)
    assert FOREIGN in twice["spec"]["taints"]


def test_nothing_wanted_and_nothing_there_is_no_patch():
    assert difference(Marks("w1"), seen()) == {}


def test_a_node_is_patched_by_a_file_and_the_diff_shows_it(node):
    (change,) = plan(Kubectl(node.host), Marks("w1", labels={"size": "big"}), seen())
    assert '"size": "big"' in change.after
    assert "big" not in change.before
    change.apply()
    assert node.called("patch", "node", "w1")


def applied(name, time):
    return {
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": "n",
            "managedFields": [{"manager": "other", "time": "9"}, {"manager": "ohmykube", "time": time}],
        },
    }


def test_applying_knows_what_changed(node):
    node.on("get", say=json.dumps({"kind": "List", "items": [applied("same", "1"), applied("changed", "1")]}))
    node.on(
        "apply", say="\n".join(json.dumps(applied(*each)) for each in [("same", "1"), ("changed", "2"), ("new", "2")])
    )
    changes = applying.apply(Kubectl(node.host), "text", timeout=1, dry_run=False)
    assert changes == ["ConfigMap/n/changed", "ConfigMap/n/new"]
    node.write(ADMIN)
    assert applying.apply(Kubectl(node.host), "text", timeout=1, dry_run=True) == changes
    assert node.called("apply", "--dry-run=server")
    assert not node.called("apply", "--validate=ignore")
    applying.apply(Kubectl(node.host), "text", timeout=1, dry_run=False, validate=False)
    assert node.called("apply", "--validate=ignore")
    node.on("apply", say=Completed(1, "", "forbidden"))
    with pytest.raises(OhmykubeError, match="forbidden"):
        applying.apply(Kubectl(node.host), "text", timeout=1, dry_run=False)


def manifest(item):
    return f"---\n{json.dumps(item)}\n"


def _file(call):
    (path,) = [word.partition("=")[2] for word in call if word.startswith("--filename=")]
    return Path(path).read_text()


def sent(node):
    """The objects of the last apply; each fake answers with what it was sent, as an API server keeps it."""
    kept = []

    def take(call):
        kept[:] = [json.loads(line) for line in _file(call).splitlines() if line != "---"]
        return "\n".join(map(json.dumps, kept))

    node.on("apply", say=take)
    node.on("get", say=lambda _: json.dumps({"kind": "List", "items": kept}))
    return kept


DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "n", "annotations": {"a": "b"}},
    "spec": {"replicas": 2, "paused": False, "template": {"spec": {"containers": [{"name": "c", "args": ["x", "y"]}]}}},
}


def test_what_is_there_as_it_was_applied_is_not_sent_again(node):
    kept = sent(node)
    apply = lambda *items: applying.apply(  # noqa: E731
        Kubectl(node.host), "".join(map(manifest, items)), timeout=1, dry_run=False
    )
    apply(DEPLOYMENT)
    assert kept[0]["metadata"]["annotations"]["a"] == "b"
    del kept[0]["spec"]["paused"]  # it is the same to the API
    kept[0]["status"] = {"ready": 2}
    kept[0]["spec"]["template"]["spec"]["containers"][0]["image"] = "i"  # somebody else's field
    node.calls.clear()
    assert apply(DEPLOYMENT) == []
    assert not node.called("apply")
    for spoil in (
        lambda item: item["spec"].update(replicas=1),
        lambda item: item["spec"]["template"]["spec"]["containers"][0]["args"].pop(),
        lambda item: item["spec"]["template"]["spec"]["containers"].append({"name": "sidecar"}),
        lambda item: item["metadata"]["annotations"].pop("a"),
        lambda item: item["metadata"]["annotations"].pop(applying.APPLIED),
        lambda item: item["metadata"].update(name="other"),
    ):
        node.calls.clear()
        spoil(kept[0])
        apply(DEPLOYMENT)
        assert node.called("apply")
    node.calls.clear()
    apply({**DEPLOYMENT, "spec": {"replicas": 2}})  # less than was applied: the rest is to go
    assert node.called("apply")


@pytest.mark.parametrize(
    "text",
    [
        "{kind: Namespace, metadata: {name: a}}",
        '{"kind": "List", "items": []}',
        "[1, 2]",
        '{"metadata": {"generateName": "a"}}',
    ],
)
def test_manifests_of_other_forms_are_kubectls_to_read(node, text):
    sent = []
    node.on("apply", say=lambda call: sent.append(_file(call)) or "")
    applying.apply(Kubectl(node.host), text, timeout=1, dry_run=False)
    assert sent == [text]


def test_the_sum_of_a_secret_is_told_to_nobody(node):
    kept = sent(node)
    secret = {"kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
    for _ in range(2):
        node.calls.clear()
        applying.apply(Kubectl(node.host), manifest({**secret, "data": {"a": "Yg=="}}), timeout=1, dry_run=False)
        assert node.called("apply")
        assert "annotations" not in kept[0]["metadata"]
    applying.apply(Kubectl(node.host), manifest(secret), timeout=1, dry_run=False)  # a place for one
    assert applying.APPLIED in kept[0]["metadata"]["annotations"]


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


def grown(value):
    """What an API server may make of it: fields of others, none of what is empty."""
    if isinstance(value, dict):
        return {"others": 1} | {key: grown(each) for key, each in value.items() if each}
    return [grown(each) for each in value] if isinstance(value, list) else value


@given(values)
def test_an_object_has_what_it_was_given(wanted):
    assert applying.has_all(grown(wanted), wanted)


@pytest.mark.parametrize(
    ("known", "together"),
    [
        ("", ["kinds\n---\nobjects"]),
        (Completed(1, "", 'no matches for kind "IPAddressPool"'), ["kinds", "objects"]),
    ],
)
def test_what_brings_the_kinds_of_the_next_comes_before_it(node, monkeypatch, known, together):
    texts = []

    def take(call):
        (path,) = [word.partition("=")[2] for word in call if word.startswith("--filename=")]
        texts.append(Path(path).read_text())
        return json.dumps(applied(f"map-{len(texts)}", "1"))

    answers = iter([known, known, Completed(1, "", 'no matches for kind "IPAddressPool"')])
    node.on("get", say=lambda _: next(answers, ""))  # the kinds of the first are known a moment after it was applied
    node.on("apply", say=take)
    monkeypatch.setattr(kubectl, "POLL", 0)
    changes = applying.apply_in_order(Kubectl(node.host), ["kinds", "objects"], timeout=1, dry_run=False)
    assert texts == together
    assert changes == [f"ConfigMap/n/map-{number}" for number, _ in enumerate(together, 1)]


def test_a_kind_that_never_comes_is_named(node, monkeypatch):
    monkeypatch.setattr(kubectl, "POLL", 0)
    node.on("get", say=Completed(1, "", 'no matches for kind "IPAddressPool"'))
    node.on("apply", say=json.dumps(applied("kinds", "1")))
    with pytest.raises(OhmykubeError, match="IPAddressPool"):
        applying.apply_in_order(Kubectl(node.host), ["kinds", "objects"], timeout=0, dry_run=False)
    assert len([call for call in node.calls if "apply" in call]) == 1


@pytest.mark.parametrize(
    ("there", "said", "changes"),
    [
        (False, "", ["all objects, in a cluster that is yet to be made"]),
        (True, 'no matches for kind "IPAddressPool"', ["objects of a kind, or in a namespace, that is yet to be made"]),
        (True, 'namespaces "a" not found', ["objects of a kind, or in a namespace, that is yet to be made"]),
    ],
)
def test_a_dry_run_before_there_is_all_that_it_needs(node, there, said, changes):
    if there:
        node.write(ADMIN)
    node.on("apply", say=Completed(1, "", said))
    assert applying.apply(Kubectl(node.host), "text", timeout=1, dry_run=True) == changes


def test_a_silent_api_server_is_asked_no_more_questions(node):
    node.on("get", "events", say="LAST SEEN\nthe disk is full")
    node.on("get", "pods", say="web Pending")
    assert readiness.explain(Kubectl(node.host)) == "web Pending\nLAST SEEN\nthe disk is full"
    asked = len(node.calls)
    node.on("get", "pods", say=Completed(1, "", "etcdserver: request timed out"))
    assert "request timed out" in readiness.explain(Kubectl(node.host))
    assert len(node.calls) == asked + 1
    assert all("--request-timeout=5s" in call for call in node.calls)
