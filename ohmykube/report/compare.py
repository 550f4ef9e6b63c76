"""Two runs side by side: where the time went that one took more than the other. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from ohmykube.report.run import Bar, Run


@dataclass(frozen=True)
class Difference:
    """Seconds of the same thing in this run and the other; None where a run does not have it."""

    name: str
    this: float | None
    other: float | None

    @property
    def more(self) -> float:
        return (self.this or 0.0) - (self.other or 0.0)


@dataclass(frozen=True)
class Comparison:
    other: Run
    total: Difference
    phases: tuple[Difference, ...]
    tasks: tuple[Difference, ...]

    def as_data(self) -> dict[str, object]:
        return {
            "run": self.other.name,
            "seconds": round(self.other.seconds, 3),
            "more": round(self.total.more, 3),
            "phases": [_data(each) for each in self.phases],
            "tasks": [_data(each) for each in self.tasks],
        }


def compare(this: Run, other: Run) -> Comparison:
    """Phases in their order; tasks, each as long as the node that took longest, the greatest difference first."""
    phases = _differences(_longest(_ran(this.phases)), _longest(_ran(other.phases)))
    tasks = _differences(_longest(this.tasks), _longest(other.tasks))
    tasks.sort(key=lambda each: -abs(each.more))
    total = Difference("all", this.seconds, other.seconds)
    return Comparison(other, total, tuple(phases), tuple(tasks))


def _ran(phases: Iterable[Bar]) -> list[Bar]:
    return [phase for phase in phases if phase.status != "skipped"]


def _longest(bars: Iterable[Bar]) -> dict[str, float]:
    found: dict[str, float] = {}
    for bar in bars:
        found[bar.name] = max(found.get(bar.name, 0.0), bar.seconds)
    return found


def _differences(this: dict[str, float], other: dict[str, float]) -> list[Difference]:
    return [Difference(name, this.get(name), other.get(name)) for name in dict.fromkeys([*this, *other])]


def _data(each: Difference) -> dict[str, object]:
    return {
        "name": each.name,
        "this": None if each.this is None else round(each.this, 3),
        "other": None if each.other is None else round(each.other, 3),
    }
