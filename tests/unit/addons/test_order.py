"""Which add-on goes before which."""

from dataclasses import dataclass

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import closure, dependents, waves
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class One:
    name: str
    requires: tuple[str, ...] = ()
    priority: int = 50


@st.composite
def acyclic(draw):
    """Each requires some of those before it; the order in which they are told says nothing."""
    found = []
    for number in range(draw(st.integers(1, 8))):
        requires = draw(st.lists(st.sampled_from([one.name for one in found]), unique=True)) if found else []
        found.append(One(f"a{number}", tuple(requires), draw(st.sampled_from([10, 50]))))
    return draw(st.permutations(found))


@given(acyclic())
def test_each_comes_in_a_later_wave_than_all_that_it_requires(addons):
    wave = {one.name: number for number, found in enumerate(waves(addons)) for one in found}
    assert sorted(wave) == sorted(one.name for one in addons)
    for one in addons:
        assert all(wave[required] < wave[one.name] for required in one.requires)


@given(acyclic())
def test_nothing_waits_without_a_reason(addons):
    """Whoever is not in a wave requires somebody who had not come yet, or has a higher priority number."""
    come = set()
    for wave in waves(addons):
        assert len({one.priority for one in wave}) == 1
        for one in addons:
            if one.name not in come and one not in wave:
                assert set(one.requires) - come or one.priority > wave[0].priority
        come |= {one.name for one in wave}


@given(acyclic(), st.data())
def test_a_closure_has_what_is_required_and_each_behind_it(addons, data):
    known = {one.name: one for one in addons}
    wanted = data.draw(st.lists(st.sampled_from(sorted(known)), unique=True))
    found = closure(wanted, known)
    assert set(wanted) <= set(found)
    assert len(found) == len(set(found))
    for position, name in enumerate(found):
        assert set(known[name].requires) <= set(found[:position])
        assert name in wanted or any(name in known[other].requires for other in found)


@given(st.integers(1, 6), st.integers(0, 3))
def test_a_circle_is_named_whole_and_nothing_that_leads_to_it(length, tail):
    ring = [One(f"c{n}", (f"c{(n + 1) % length}",)) for n in range(length)]
    path = [One(f"t{n}", (f"t{n + 1}" if n + 1 < tail else "c0",)) for n in range(tail)]
    for judge in (waves, lambda found: closure([one.name for one in found], {one.name: one for one in found})):
        with pytest.raises(OhmykubeError) as caught:
            judge([*path, *ring])
        assert caught.value.code == "addon.circle"
        first, *others = caught.value.context["circle"].split(", ")
        assert others[-1] == first
        assert sorted([first, *others[:-1]]) == sorted(one.name for one in ring)


def test_who_is_unknown_is_named_with_who_asks_and_a_near_one():
    with pytest.raises(OhmykubeError) as caught:
        closure(["hello"], {"hello": One("hello", ("metric-server",)), "metrics-server": One("metrics-server")})
    assert caught.value.message == "hello requires 'metric-server', which is no add-on"
    assert "metrics-server" in caught.value.hint


def test_what_is_required_and_not_among_them_is_there():
    assert waves([One("a", ("there",))]) == [[One("a", ("there",))]]
    assert dependents("there", [One("a", ("there",)), One("b")]) == ["a"]
