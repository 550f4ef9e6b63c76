# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What was tried, and how it went. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

OK, FAILED, SKIPPED = "ok", "failed", "skipped"


@dataclass(frozen=True)
class Check:
    """where: the node, or empty for the whole cluster. detail: why it failed or was skipped, else what was seen."""

    name: str
    where: str
    status: str
    detail: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def table(checks: Sequence[Check]) -> list[str]:
    """A line each, in columns."""
    rows = [(check.name, check.where or "cluster", check.status, check.detail) for check in checks]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def failed(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.status == FAILED]


def parse(output: str, where: str) -> Iterator[Check]:
    """Of lines as the scripts in pods print them: status, name, detail, with a bar between."""
    for line in output.splitlines():
        status, _, rest = line.partition("|")
        name, _, detail = rest.partition("|")
        if status in (OK, FAILED):
            yield Check(name, where, status, detail)
