"""The lines below the finished phases while a verb runs: what goes on now, where, and how long it may take. Pure."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ohmykube.model.quantity import clock
from ohmykube.report.downloads import Told, told

if TYPE_CHECKING:
    from ohmykube.phases.base import Event

_BAR = 16  # columns of a download's bar, where there is room
_BROAD = 80  # columns of a line at most: what stands at its two ends is read together
_WIDE = 60  # columns from which on there is


@dataclass
class _Phase:
    """nodes: what each does now, and since when; those that have ended what they did are not in it."""

    since: float
    expected: float = 0.0
    words: str = ""
    nodes: dict[str, tuple[str, float]] = field(default_factory=dict)
    downloads: dict[str, Told] = field(default_factory=dict)

    def end(self, node: str, text: str) -> None:
        if (now := self.nodes.get(node)) and now[0] == text:
            del self.nodes[node]


class Board:
    """Takes events; not safe for threads."""

    def __init__(self) -> None:
        self._phases: dict[str, _Phase] = {}

    def take(self, event: "Event", now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        if event.kind == "start":
            self._phases[event.phase] = _Phase(now, event.expected)
        elif event.kind in ("done", "fail", "skip"):
            self._phases.pop(event.phase, None)
        elif event.kind == "step":
            self._step(self._phases.setdefault(event.phase, _Phase(now)), event, now)
        elif event.kind == "task" and (phase := self._phases.get(event.phase)):
            phase.end(event.node, event.text)

    @staticmethod
    def _step(phase: _Phase, event: "Event", now: float) -> None:
        if event.node:
            phase.nodes[event.node] = event.text, now
        elif how_far := told(event.text):
            phase.downloads[how_far.name] = how_far
            if how_far.share >= 1:
                del phase.downloads[how_far.name]
        else:
            phase.words = event.text
            phase.downloads.clear()

    def lines(self, width: int, height: int, now: float | None = None) -> list[str]:
        """At most `height` of them, none wider than `width`; what finds no room is counted in the last one."""
        now = time.monotonic() if now is None else now
        width = min(width, _BROAD)
        lines: list[str] = []
        for title, phase in self._phases.items():
            lines.append(_spread(f"▸ {title}", _elapsed(now - phase.since, phase.expected), width))
            lines += _of_downloads(phase, width)
            lines += _of_nodes(phase, width, now)
        if len(lines) <= height:
            return lines
        more = f"  … and {len(lines) - height + 1} more lines"
        return [*lines[: height - 1], more[:width]] if height > 0 else []


def _of_downloads(phase: _Phase, width: int) -> list[str]:
    if not phase.downloads:
        return [_cut(f"  {phase.words}", width)] if phase.words and not phase.nodes else []
    lines = []
    for each in phase.downloads.values():
        full = round(each.share * _BAR)
        bar = f"{'━' * full}{'╌' * (_BAR - full)} " if width >= _WIDE else ""
        lines.append(_spread(f"  {each.name}", f"{bar}{each.share:4.0%}", width))
    return lines


def _of_nodes(phase: _Phase, width: int, now: float) -> list[str]:
    longest = max(map(len, phase.nodes), default=0)
    column = min(longest, width // 3)
    return [
        _spread(f"  {_end_of(node, column):<{column}}  {text}", clock(now - since), width)
        for node, (text, since) in phase.nodes.items()
    ]


def _spread(left: str, right: str, width: int) -> str:
    """One at each side; the left one gives way."""
    room = width - len(right) - 1
    return f"{_cut(left, room):<{room}} {right}" if room > 8 else _cut(left, width)


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split("\n"))
    return text if len(text) <= width else text[: max(0, width - 1)] + "…" if width > 0 else ""


def _end_of(node: str, width: int) -> str:
    """Names of one cluster differ at their ends."""
    return node if len(node) <= width else f"…{node[len(node) - width + 1 :]}" if width > 0 else ""


def _elapsed(seconds: float, expected: float) -> str:
    return f"{clock(seconds)} of ~{clock(expected)}" if expected >= 1 else clock(seconds)
