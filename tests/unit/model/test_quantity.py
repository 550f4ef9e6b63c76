"""Sizes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import format_bytes, human_bytes, parse_bytes


@pytest.mark.parametrize("text", ["4", 4, 4.0, "4GiB", "4Gi", "4096MiB", " 4 GiB "])
def test_all_ways_to_write_four_gibibytes(text):
    assert parse_bytes(text) == 4 * 2**30


def test_decimal_units_are_decimal():
    assert parse_bytes("4GB") == 4 * 10**9


@pytest.mark.parametrize("text", ["", "4x", "GiB", "-1", "1e9", None, True, [4], "4 4", "٤GiB x"])
def test_everything_else_is_refused(text):
    with pytest.raises(OhmykubeError, match="is no size"):
        parse_bytes(text)


@given(st.integers(min_value=1, max_value=2**43))
def test_what_is_written_is_read_back(size):
    assert parse_bytes(format_bytes(size)) == size


def test_for_people():
    assert [human_bytes(size) for size in (12, 2048, 5 * 2**20, 3 * 2**30)] == ["12 B", "2.0 KiB", "5.0 MiB", "3.0 GiB"]


@given(st.integers(0, 2**39), st.integers(-2000, 2000))
@example(2**30, -1)
def test_no_unit_is_shown_where_the_next_one_is_reached(size, near):
    number = float(human_bytes(max(0, size + near)).split()[0])
    assert number < 1024
