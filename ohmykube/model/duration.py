"""Lengths of time, as people write them."""

import re

from ohmykube.errors import OhmykubeError

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Seconds from `30s`, `5m`, `1h`, `100ms` or `1h30m`. Raises OhmykubeError `duration.syntax`."""
    if not _WHOLE.fullmatch(text):
        raise OhmykubeError("duration.syntax", f"{text!r} is no time", hint="write 30s, 5m, 1h or 1h30m", exit_code=2)
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def human_duration(seconds: float) -> str:
    """The two largest units: 1h30m, 45s; what is shorter than a second, in ms."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    left: float = round(seconds)
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count:.0f}{unit}")
    return "".join(parts[:2])
