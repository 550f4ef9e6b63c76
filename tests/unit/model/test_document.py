"""YAML with positions."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ohmykube.errors import OhmykubeError
from ohmykube.model.document import Document, merge, nearest, parse

keys = st.text("abcxyz", min_size=1, max_size=4)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc :#-\n'\"", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(keys, plain, max_size=5))
def test_reads_what_yaml_wrote(data):
    assert parse(yaml.safe_dump(data), "f").data == data


@given(st.text(max_size=200))
def test_any_text_is_a_mapping_or_one_clear_error(text):
    try:
        assert isinstance(parse(text, "f").data, dict)
    except OhmykubeError as error:
        assert error.code == "file.syntax"
        assert error.exit_code == 2


def test_every_value_knows_its_line():
    document = parse("a:\n  b: 1\n  c:\n    - x\n    - y\n", "dev.yaml")
    assert document.origin(("a", "b")) == "dev.yaml:2"
    assert document.origin(("a", "c", 1)) == "dev.yaml:5"
    assert document.origin(("a", "not there")) == "dev.yaml:2"  # the nearest thing that holds it


def test_merge_keys_and_anchors_work():
    document = parse("base: &base {cpu: 1, memory: 2}\nbig: {<<: *base, cpu: 4}\nother: *base\n", "f")
    assert document.data["big"] == {"cpu": 4, "memory": 2}
    assert document.data["other"] == {"cpu": 1, "memory": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", "f:2: the key 'a' stands twice"),
        ("a: [1\n", "f:2:"),
        ("- 1\n", "no mapping"),
        ("? [a]\n: 1\n", "plain word"),
        ("a: !!python/object:os.system {}\n", ""),
        ("a: 1\nb: !!binary aGk=\n", "f:2: the tag"),
        ("a: 1\nb: !!bool x\n", "f:2: 'x' is no bool"),
        ("a: 1\nb: !!int x\n", "f:2: 'x' is no int"),
        ('a: 1\nb: "\\ud800"\n', "f:2: "),
        ("a: 1\n\x07: 2\n", "f:2: "),
        ("a: &a [*a]\n", "nested too deeply"),
        ("a: 1\n---\nb: 1\n", "f:3: a cluster file is one document"),
        (
            "a: &a ["
            + ", ".join(["x"] * 50)
            + "]\n"
            + "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}' if i else '*a'] * 50)}]\n" for i in range(4)),
            "aliases",
        ),
        ("[" * 5000, ""),
    ],
)
def test_hostile_or_broken_text_is_one_error(text, words):
    with pytest.raises(OhmykubeError) as caught:
        parse(text, "f")
    assert words in caught.value.message


@given(st.dictionaries(keys, plain, max_size=4), st.dictionaries(keys, plain, max_size=4))
def test_the_upper_layer_wins_and_nothing_else_is_lost(low, high):
    merged = merge(Document(low), Document(high)).data
    assert merged.keys() == low.keys() | high.keys()
    for key, value in high.items():
        if not (isinstance(value, dict) and isinstance(low.get(key), dict)):
            assert merged[key] == value
    for key in low.keys() - high.keys():
        assert merged[key] == low[key]


def test_merge_replaces_lists_and_their_origins():
    merged = merge(parse("a: [1, 2, 3]\n", "low"), parse("a: [9]\n", "high"))
    assert merged.data == {"a": [9]}
    assert merged.origin(("a", 2)) == "high:1"


def test_a_time_and_an_equals_sign_are_text_as_they_are_to_kubernetes():
    assert parse("a: 2026-01-02\n2026-01-02: b\n", "f").data == {"a": "2026-01-02", "2026-01-02": "b"}
    assert parse("a: =\n", "f").data == {"a": "="}


def test_nearest_suggests_or_lists():
    assert nearest("cuont", ["count", "cpu"]) == "did you mean 'count'?"
    assert nearest("zzz", ["count", "cpu"]) == "known: count, cpu"
