"""Sizes that a computer can give."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmykube.errors import OhmykubeError
from ohmykube.model.presets import PRESETS, Computer, Preset, Sizes, fits, sizes

GIB = 2**30
MANY = st.builds(Preset, st.just("some"), st.just(""), st.sampled_from([1, 3, 5]), st.integers(0, 12))


def total(preset: Preset, each: Sizes) -> int:
    return preset.planes * each.plane_memory + preset.workers * each.worker_memory


@given(MANY | st.sampled_from(list(PRESETS.values())), st.integers(2, 256), st.integers(0, 512 * GIB))
def test_never_more_than_three_quarters_of_the_memory(preset: Preset, cores: int, memory: int) -> None:
    computer = Computer(cores, memory)
    if not fits(preset, computer):
        assert preset.planes * 2 * GIB + preset.workers * preset.least_worker > computer.budget
        return
    each = sizes(preset, computer)
    assert total(preset, each) * 4 <= memory * 3
    assert each.plane_memory >= 2 * GIB
    assert each.worker_memory >= GIB
    assert each.plane_cpu in (2, 3, 4)
    assert each.worker_cpu in (1, 2, 3, 4)


@given(st.sampled_from(list(PRESETS.values())), st.integers(8, 64), st.integers(0, 64))
def test_a_larger_computer_never_gives_less(preset: Preset, gib: int, more: int) -> None:
    small, large = Computer(4, gib * GIB), Computer(4, (gib + more) * GIB)
    if fits(preset, small):
        assert total(preset, sizes(preset, small)) <= total(preset, sizes(preset, large))


@pytest.mark.parametrize(
    ("gib", "cores", "name", "expected"),
    [
        (8, 4, "tiny", Sizes(4, 4 * GIB, 4, GIB)),
        (16, 8, "default", Sizes(2, 4 * GIB, 2, 4 * GIB)),
        (8, 2, "default", Sizes(2, 2 * GIB, 1, 2 * GIB)),
        (64, 64, "ha", Sizes(4, 4 * GIB, 4, 4 * GIB)),
    ],
)
def test_sizes_of_usual_computers(gib: int, cores: int, name: str, expected: Sizes) -> None:
    assert sizes(PRESETS[name], Computer(cores, gib * GIB)) == expected


def test_a_computer_that_is_too_small_is_told_what_fits() -> None:
    with pytest.raises(OhmykubeError, match=r"ha: 5 machines need 8.0 GiB .* has 8.0 GiB") as caught:
        sizes(PRESETS["ha"], Computer(4, 8 * GIB))
    assert caught.value.hint == "--preset tiny or --preset default fits"
    with pytest.raises(OhmykubeError, match="2 CPUs"):
        sizes(PRESETS["tiny"], Computer(1, 64 * GIB))
    with pytest.raises(OhmykubeError) as caught:
        sizes(PRESETS["tiny"], Computer(4, GIB))
    assert "--master-memory" in caught.value.hint


def test_what_somebody_has_chosen_is_kept() -> None:
    computer = Computer(4, 8 * GIB)
    each = sizes(PRESETS["default"], computer, plane_memory=3 * GIB)
    assert (each.plane_memory, each.worker_memory) == (3 * GIB, GIB)
    beyond = sizes(PRESETS["default"], computer, plane_memory=30 * GIB, worker_memory=20 * GIB)
    assert (beyond.plane_memory, beyond.worker_memory) == (30 * GIB, 20 * GIB)
    with pytest.raises(OhmykubeError):
        sizes(PRESETS["default"], computer, plane_memory=30 * GIB)


def test_raw_disks_do_not_fit_system_containers() -> None:
    computer = Computer(8, 64 * GIB)
    assert fits(PRESETS["storage"], computer, "lima")
    assert not fits(PRESETS["storage"], computer, "nspawn")
    assert fits(replace(PRESETS["storage"], raw=0), computer, "nspawn")
