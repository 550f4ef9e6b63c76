"""Sizes of memory and disk, and times, as people write and read them."""

import re

from ohmykube.errors import OhmykubeError

_UNITS = {
    "": 2**30,
    **{f"{prefix}iB": 2 ** (10 * power) for power, prefix in enumerate("KMGT", start=1)},
    **{f"{prefix}i": 2 ** (10 * power) for power, prefix in enumerate("KMGT", start=1)},
    **{f"{prefix}B": 10 ** (3 * power) for power, prefix in enumerate("KMGT", start=1)},
}
_QUANTITY = re.compile(r"\s*(\d{1,12}(?:\.\d{1,10})?)\s*([A-Za-z]*)\s*")


def parse_bytes(value: object) -> int:
    """Bytes from `4`, `4GiB`, `4Gi`, `4096MiB`, `4GB`; a bare number counts GiB, as in the flags."""
    match = _QUANTITY.fullmatch(str(value)) if isinstance(value, int | float | str) else None
    unit = None if match is None else _UNITS.get(match[2])
    if match is None or unit is None or isinstance(value, bool):
        raise OhmykubeError("spec.quantity", f"{value!r} is no size", hint="write 4, 4GiB, 4Gi or 4096MiB", exit_code=2)
    return int(float(match[1]) * unit)


def format_bytes(size: int) -> str:
    """The shortest exact form with a binary unit: 4294967296 → 4GiB."""
    for power, prefix in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if size and size % 2 ** (10 * power) == 0:
            return f"{size // 2 ** (10 * power)}{prefix}iB"
    return f"{size / 2**10:.10f}".rstrip("0").rstrip(".") + "KiB"


def human_bytes(size: int) -> str:
    """For tables: 41 MiB."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if round(size / 2 ** (power - 10), 1) >= 1024:  # 1023.96 KiB are 1.0 MiB, not 1024.0 KiB
            return f"{size / 2**power:.1f} {unit}"
    return f"{size} B"


def clock(seconds: float) -> str:
    """As a clock without hours tells it: 41s, 5m12s."""
    whole = int(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60:02d}s"
