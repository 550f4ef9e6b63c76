"""Nodes added to a wish and taken from it: names stay, and numbers are used again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmykube.errors import OhmykubeError
from ohmykube.model.document import parse
from ohmykube.model.load import build
from ohmykube.model.machines import wanted
from ohmykube.model.members import Addition, add, is_gone, remove

DEFAULTS = {("spec", "provider"): "fake", ("spec", "kubernetesVersion"): "v1.36.4"}


def cluster(text=""):
    document = parse(text, "dev.yaml") if text else None
    return build("dev", document=document, defaults=DEFAULTS, supported_versions=("v1.36.4",))


def names(wish):
    return [machine.name.removeprefix("dev-") for machine in wanted(wish)]


def test_a_node_more_of_a_group_and_of_a_new_one():
    wish = add(cluster(), Addition(2))
    assert names(wish) == ["control-plane-1", "worker-1", "worker-2", "worker-3", "worker-4"]
    wish = add(wish, Addition(1, "big", {"cpu": 4, "memory": "8", "labels": {"size": "big"}}))
    assert names(wish)[-1] == "big-1"
    assert wish.spec.workers[1].memory == 8 * 2**30
    assert add(wish, Addition(1, "big", {"cpu": 4})).spec.workers[1].count == 2


def test_a_node_more_of_a_group_with_hooks_and_files():
    files = "[{path: /a, content: ''}, {path: /b, source: /c, sum: d, mode: '0600', owner: 0}]"
    group = f"{{name: big, hooks: {{preSystem: [{{name: a, script: b}}]}}, files: {files}}}"
    before = cluster(f"spec: {{workers: [{group}]}}")
    (grown,) = add(before, Addition(1, "big")).spec.workers
    assert grown == before.spec.workers[0].model_copy(update={"count": 2})


def test_others_keep_their_names_when_one_goes_and_its_number_is_used_again():
    wish = remove(add(cluster(), Addition(1)), ["dev-worker-2"])
    assert names(wish) == ["control-plane-1", "worker-1", "worker-3"]
    assert wish.spec.workers[0].absent == (2,)
    assert names(add(wish, Addition(2))) == ["control-plane-1", "worker-1", "worker-2", "worker-3", "worker-4"]
    assert remove(wish, ["dev-worker-3"]).spec.workers[0].absent == ()


@given(st.lists(st.one_of(st.integers(1, 3), st.lists(st.integers(1, 9), max_size=3)), max_size=12))
def test_whatever_comes_and_goes_is_what_is_there(steps):
    wish, there = cluster(), {"dev-worker-1", "dev-worker-2"}
    for step in steps:
        before = {machine.name for machine in wanted(wish) if machine.role == "worker"}
        if isinstance(step, int):
            wish = add(wish, Addition(step))
            after = {machine.name for machine in wanted(wish) if machine.role == "worker"}
            assert before < after
            assert len(after) == len(before) + step
        else:
            gone = {f"dev-worker-{number}" for number in step} & before
            wish = remove(wish, sorted(gone))
            after = {machine.name for machine in wanted(wish) if machine.role == "worker"}
            assert after == before - gone
        there = after
    assert {machine.name for machine in wanted(wish) if machine.role == "worker"} == there
    assert names(cluster_from(wish)) == names(wish)


def cluster_from(wish):
    """As it is read back from its file."""
    from ohmykube.model.document import Document

    return build("dev", document=Document(wish.as_data()), defaults={}, supported_versions=("v1.36.4",))


def test_what_cannot_be_is_refused():
    for call, code in [
        (lambda: add(cluster(), Addition(1, "worker", {"cpu": 7})), "group.differs"),
        (lambda: add(cluster(), Addition(1, "Bad!", {})), "spec.invalid"),
        (lambda: add(cluster(), Addition(1, "big", {"memory": "much"})), "spec.invalid"),
        (lambda: remove(cluster(), ["dev-worker-9", "dev-worker-1"]), "node.unknown"),
        (lambda: remove(cluster(), ["dev-control-plane-1"]), "node.last"),
    ]:
        with pytest.raises(OhmykubeError) as caught:
            call()
        assert caught.value.code == code
        assert caught.value.exit_code == 2


def test_hosts_that_exist_are_added_by_the_file_alone():
    hosts = "{name: a, address: 10.0.0.1, role: control-plane}, {name: b, address: 10.0.0.2}"
    wish = cluster(f"spec: {{provider: static, hosts: [{hosts}], network: {{loadBalancer: none}}}}")
    with pytest.raises(OhmykubeError, match="exist already"):
        add(wish, Addition(1))
    assert [machine.name for machine in wanted(remove(wish, ["b"]))] == ["a"]


def test_a_name_that_was_one():
    wish = remove(cluster(), ["dev-worker-2"])
    assert is_gone(wish, "dev-worker-2")
    assert not is_gone(wish, "dev-worker-1")  # it is there
    assert not is_gone(wish, "dev-wroker-2")
    assert not is_gone(wish, "dev-worker-x")
