"""One run as one HTML file that needs nothing else: no request, no library, readable without its script too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmykube.model.quantity import human_bytes
from ohmykube.report import critical
from ohmykube.report.compare import Comparison
from ohmykube.report.run import Bar, Run

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent / "template"
_OUTCOMES = {
    "ok": "done",
    "failed": "failed",
    "interrupted": "interrupted",
    "unfinished": "not finished: it goes on, or was killed",
}
_SHORT = 0.01  # of the whole run
_TICKS = 8  # at most, on the axis as it is first shown


@dataclass(frozen=True)
class Lane:
    """One line of the timeline. label: what stands before it. node: empty for phases and downloads.

    words: what stands beside its one bar; else bars have their names inside.
    """

    group: str
    label: str
    bars: tuple[Bar, ...]
    node: str = ""
    words: str = ""


@dataclass(frozen=True)
class Share:
    """Where the time went: a piece of the critical path. bar: None for time between tasks."""

    name: str
    where: str
    seconds: float
    bar: Bar | None


def render(run: Run, comparison: Comparison | None = None) -> str:
    pieces, step = critical.path(run), _step(run.seconds)
    text: str = _template().render(
        run=run,
        comparison=comparison,
        style=(_HERE / "page.css").read_text(),
        script=(_HERE / "page.js").read_text(),
        outcome=_OUTCOMES.get(run.outcome, run.outcome),
        when=datetime.fromtimestamp(run.started, UTC),
        lanes=_lanes(run),
        pieces=pieces,
        shares=shares(run),
        critical={piece.bar for piece in pieces if piece.bar},
        step=step,
        ticks=list(takewhile(lambda tick: tick < run.seconds, (number * step for number in count()))),
        busy=_busy(run),
        seconds=seconds,
        size=human_bytes,
        short=lambda node: node.removeprefix(f"{run.cluster}-"),
    )
    return text


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2")


def seconds(value: float) -> str:
    """For people: 0.42 s, 8.3 s, 2 m 05 s."""
    if value < 1:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"


def _lanes(run: Run) -> list[Lane]:
    ran = [phase for phase in run.phases if phase.status != "skipped"]
    lanes = [Lane("Phases", phase.name, (phase,), words=seconds(phase.seconds)) for phase in ran]
    for each in run.downloads:
        bar = Bar(each.name, each.phase, each.start, each.end, "ok")
        lanes.append(Lane("Downloads", each.name.rpartition("/")[2], (bar,), words=human_bytes(each.bytes)))
    for node in run.nodes:
        own = [task for task in run.tasks if task.node == node]
        lanes += [Lane("Nodes", node.removeprefix(f"{run.cluster}-"), row, node) for row in _rows(own)]
    return lanes


def _rows(bars: Sequence[Bar]) -> list[tuple[Bar, ...]]:
    """Those that overlap stand below each other."""
    rows: list[list[Bar]] = []
    for bar in bars:
        free = next((row for row in rows if row[-1].end <= bar.start + critical.SLACK), None)
        if free is None:
            rows.append([bar])
        else:
            free.append(bar)
    return [tuple(row) for row in rows]


def shares(run: Run) -> list[Share]:
    """The longest first; what lay between the tasks of a phase counts together, and so does all that is short."""
    between: dict[str, list[critical.Piece]] = {}
    found = []
    for piece in critical.path(run):
        if piece.bar:
            where = piece.bar.node or ("" if piece.phase == piece.bar.name else piece.phase)
            found.append(Share(piece.bar.name, where, piece.seconds, piece.bar))
        else:
            between.setdefault(piece.phase, []).append(piece)
    for phase, gaps in between.items():
        name = f"between tasks of {phase}" if phase else "between phases"
        found.append(Share(name, "", sum(gap.seconds for gap in gaps), None))
    found.sort(key=lambda share: -share.seconds)
    long = [share for share in found if share.seconds >= _SHORT * run.seconds]
    short = [share for share in found if share.seconds < _SHORT * run.seconds]
    if short:
        words = f"{len(short)} more, each below {100 * _SHORT:.0f} %"
        long.append(Share(words, "", sum(share.seconds for share in short), None))
    return long


def _busy(run: Run) -> list[dict[str, Any]]:
    """What each node did, and how long it waited for others between its first task and its last."""
    found = []
    for node in run.nodes:
        own = [task for task in run.tasks if task.node == node]
        busy, until = 0.0, 0.0
        for task in own:
            busy += max(0.0, task.end - max(task.start, until))
            until = max(until, task.end)
        span = until - own[0].start
        changed = sum(task.status == "changed" for task in own)
        found.append({"node": node, "tasks": len(own), "changed": changed, "busy": busy, "idle": max(0.0, span - busy)})
    return found


def _step(whole: float) -> float:
    """Seconds from tick to tick of the axis."""
    return next(
        base * 10.0**power for power in range(-2, 12) for base in (1, 2, 5) if whole / (base * 10.0**power) <= _TICKS
    )
