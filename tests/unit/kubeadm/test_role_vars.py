"""Who is taken for what by the role kubeadm, from what the modules have seen on each machine."""

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ohmykube import COLLECTIONS

ROLE = COLLECTIONS / "ansible_collections/ohmykube/cluster/roles/kubeadm"
BARE, GOOD, FORGOTTEN, MOVED = (False, False), (True, True), (True, False), (True, True, True)


def values(planes, *names):
    """planes: (finished, joined, moved) of each by its letter; None for one that nobody has looked at."""
    role = DataLoader().load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    seen = {}
    for number, (name, told) in enumerate(planes.items()):
        seen[name] = {"inventory_hostname": name, "kubeadm_node_address": f"10.0.0.{number}"}
        if told:
            seen[name]["__kubeadm_info"] = {"control_plane": told[0], "joined": told[1], "moved": told == MOVED}
    groups = {"all": list(planes), "control_plane": list(planes)}
    names_of_groups = {"kubeadm_control_plane_group": "control_plane", "kubeadm_worker_group": "workers"}
    known = {**role, **names_of_groups, "groups": groups, "hostvars": seen}
    templar = Templar(DataLoader(), variables={**known, "inventory_hostname": next(iter(planes))})
    return [templar.template(trust_as_template(f"{{{{ __kubeadm_{name} }}}}")) for name in names]


@pytest.mark.parametrize(
    ("planes", "first"),
    [
        ({"a": BARE, "b": BARE}, "a"),
        ({"a": GOOD, "b": BARE}, "a"),
        ({"a": BARE, "b": GOOD, "c": GOOD}, "b"),
        ({"a": FORGOTTEN, "b": GOOD, "c": GOOD}, "b"),
        ({"a": None, "b": FORGOTTEN}, "b"),
        ({"a": MOVED, "b": GOOD, "c": FORGOTTEN}, "b"),
        ({"a": FORGOTTEN, "b": MOVED}, "b"),
        ({"a": MOVED, "b": BARE, "c": BARE}, "a"),
        ({"a": None, "b": None}, "a"),
        ({"a": BARE, "b": FORGOTTEN, "c": FORGOTTEN}, "b"),
    ],
)
def test_the_cluster_is_where_it_is_known_to_be(planes, first):
    assert values(planes, "first") == [first]


def test_those_that_the_cluster_does_not_know_are_new_to_it_but_for_the_one_that_makes_it():
    assert values({"a": FORGOTTEN, "b": GOOD, "c": BARE}, "new_planes", "unjoined") == [
        {"a": "10.0.0.0", "c": "10.0.0.2"},
        ["a", "c"],
    ]
    assert values({"a": BARE, "b": BARE}, "new_planes") == [{"b": "10.0.0.1"}]


@pytest.mark.parametrize(
    ("planes", "members", "moved"),
    [
        ({"a": MOVED, "b": BARE, "c": None}, ["a", "c"], ["a"]),
        ({"a": GOOD, "b": FORGOTTEN, "c": MOVED}, ["a", "b", "c"], ["c"]),
        ({"a": BARE, "b": BARE}, [], []),
    ],
)
def test_those_that_have_the_cluster_or_may_have_it_are_its_members(planes, members, moved):
    found = values(planes, "members", "moved")
    assert [sorted(names) for names in found] == [members, moved]


def test_one_that_has_moved_is_told_where_the_others_are():
    (task,) = DataLoader().load_from_file(str(ROLE / "tasks/join.yml"), trusted_as_template=True)
    others = task["ohmykube.cluster.kubeadm_join"]["others"].removeprefix("{{ __kubeadm_").removesuffix(" }}")
    assert sorted(values({"a": MOVED, "b": GOOD, "c": BARE, "d": None}, others)[0]) == ["10.0.0.1", "10.0.0.3"]
