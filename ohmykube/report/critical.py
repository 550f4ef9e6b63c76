"""The chain of tasks and phases that determined when the run ended. Pure.

Walked from the end: before each piece comes the one that ended last before it began; of several, the longest. What lies
between two pieces is time in which nothing that was told went on: Ansible's own start, or a phase between its tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ohmykube.report.run import Bar, Run

SLACK = 0.05  # seconds: an end and the beginning that followed it are told by different clocks


@dataclass(frozen=True)
class Piece:
    """bar: None for time between tasks. start, end: without what lies in the next piece."""

    bar: Bar | None
    start: float
    end: float
    phase: str

    @property
    def seconds(self) -> float:
        return self.end - self.start


def path(run: Run) -> tuple[Piece, ...]:
    """In order, without gaps, from 0 to the end of the run."""
    leaves = sorted(_leaves(run), key=lambda bar: (bar.end, -bar.start))
    pieces: list[Piece] = []
    until = run.seconds
    while leaves and until > 0:
        bar = leaves.pop()
        if bar.end > until + SLACK or bar.start >= until:
            continue
        end = min(bar.end, until)
        pieces += [piece for piece in (_gap(run, end, until),) if piece.seconds > 0]
        pieces.append(Piece(bar, bar.start, end, bar.phase))
        until = bar.start
    if until > 0:
        pieces.append(_gap(run, 0.0, until))
    return tuple(reversed(pieces))


def _leaves(run: Run) -> list[Bar]:
    """Tasks, and phases without any."""
    phases = {task.phase for task in run.tasks}
    bars = [*run.tasks, *(phase for phase in run.phases if phase.name not in phases)]
    return [bar for bar in bars if bar.end > bar.start]


def _gap(run: Run, start: float, end: float) -> Piece:
    return Piece(None, start, end, _phase_at(run.phases, (start + end) / 2))


def _phase_at(phases: Sequence[Bar], when: float) -> str:
    return next((phase.name for phase in phases if phase.start <= when <= phase.end), "")
