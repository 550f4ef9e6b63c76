"""Lengths of time."""

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.model.duration import human_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("100ms", 0.1), ("1.5s", 1.5)]
)
def test_ways_to_write_a_time(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "s", "-5m", "5 m", "5parsecs", "1e3s", "5m-", "99999999999s", "\u0665s"])
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(OhmykubeError) as caught:
        parse_duration(text)
    assert caught.value.exit_code == 2
    assert "30s" in caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "100ms"), (0, "0ms"), (59.6, "1m"), (60, "1m"), (65, "1m5s"), (3600, "1h"), (86400, "1d"), (90061, "1d1h")],
)
def test_times_are_shown_in_two_units(seconds, text):
    assert human_duration(seconds) == text
