"""A file for people says what it was made from, and each key says what it does."""

import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ohmykube.model import commented
from ohmykube.model.document import Document, parse
from ohmykube.model.load import build
from ohmykube.model.presets import PRESETS, Sizes, spec
from ohmykube.model.schema import schema
from ohmykube.model.spec import Cluster

VERSION = "v1.36.4"
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("all", "cache", "clusters", "current", "lima")
)
WORDS = st.text(string.printable.replace("\x0b", "").replace("\x0c", "").replace("\r", ""), max_size=30)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def made(name: str, data: dict[str, Any]) -> Cluster:
    document = Document(
        {"metadata": {"name": name}, "spec": {"provider": "lima", "kubernetesVersion": VERSION, **data}}
    )
    return build("", document=document, defaults={}, supported_versions=(VERSION,))


def again(cluster: Cluster) -> Cluster:
    text = commented.text(cluster, "a.yaml")
    return build("", document=parse(text, "a.yaml"), defaults={}, supported_versions=(VERSION,))


@given(
    NAMES,
    st.sampled_from(list(PRESETS.values())),
    st.builds(Sizes, st.integers(2, 64), st.integers(2000, 99999), st.integers(1, 64), st.integers(4096, 99999)),
)
def test_presets_are_what_was_asked_for(name: str, preset: Any, each: Sizes) -> None:
    bytes_ = Sizes(each.plane_cpu, each.plane_memory * 2**20, each.worker_cpu, each.worker_memory * 2**20)
    cluster = made(name, spec(preset, bytes_))
    assert again(cluster) == cluster


@given(st.dictionaries(WORDS, ANYTHING, max_size=3), WORDS, st.booleans())
def test_whatever_a_profile_says(variables: dict[str, Any], script: str, swap: bool) -> None:
    cluster = made(
        "dev",
        {
            "swap": swap,
            "vars": variables,
            "network": {"podCIDR": "10.1.0.0/16,fd00:1::/56", "serviceCIDR": "10.2.0.0/16,fd00:2::/112"},
            "registries": {"docker.io": {"mirrors": ["https://a.example", "https://b.example"]}},
            "hooks": {"preSystem": [{"name": "one", "script": f"#!/bin/sh\n{script}"}]},
            "files": [{"path": "/etc/motd", "content": script, "mode": "0644"}],
            "addons": ["metrics-server", {"name": "hello", "path": "/home/me/hello"}],
            "controlPlane": {"labels": {"a/b": "c"}, "vars": variables},
            "workers": [
                {"name": "big", "count": 3, "absent": [2], "disks": [{"size": "3GiB"}], "taints": ["a=b:NoSchedule"]},
                {"name": "small", "annotations": {"a": script}},
            ],
        },
    )
    assert again(cluster) == cluster


def test_machines_that_exist() -> None:
    hosts = [{"name": "cp1", "address": "10.0.0.1", "role": "control-plane"}, {"name": "w1", "address": "10.0.0.2"}]
    pool = {"addressPool": "10.0.0.240-10.0.0.250"}
    cluster = made("dev", {"provider": "static", "hosts": hosts, "network": pool, "ssh": {"user": "admin"}})
    assert again(cluster) == cluster
    assert "controlPlane" not in commented.text(cluster, "a.yaml")


def test_each_key_of_a_usual_file_says_what_it_does_within_80_columns() -> None:
    lines = commented.text(made("dev", spec(PRESETS["storage"], Sizes(2, 2**32, 2, 2**32))), "dev.yaml").splitlines()
    keys = [line for line in lines if line.lstrip(" -#").split(" ")[0].endswith(":")]
    assert len(keys) > 40
    assert all(line.count(" # ") for line in keys)
    assert [line for line in lines if len(line) > 80] == lines[1:2]  # it names the file twice


def test_what_a_long_value_is_stands_above_it() -> None:
    cluster = made("dev", {"vars": {"a": {"b": "x" * 60}}})
    lines = commented.text(cluster, "dev.yaml").splitlines()
    assert lines[lines.index("  vars:") - 1] == "  # Variables of the Ansible roles."


def test_of_addons_only_names_and_folders_are_written() -> None:
    wish = [{"name": "hello", "path": "/home/me/hello", "files": {"addon.yml": ""}}, "metrics-server"]
    text = commented.text(made("dev", {"addons": wish}), "dev.yaml")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    first = lines.index("addons:") + 1
    assert lines[first : first + 4] == ["- name: hello", "path: /home/me/hello", "- name: metrics-server", ""]


def test_the_schema_describes_each_key() -> None:
    found = schema()
    for name, part in (("Cluster", found), *found["$defs"].items()):
        for key, field in part["properties"].items():
            target = field.get("$ref", "").rpartition("/")[2]
            assert field.get("description") or found["$defs"][target].get("description"), f"{name}.{key}"
