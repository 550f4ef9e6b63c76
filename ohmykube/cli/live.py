"""Progress on a terminal: finished phases as lines, and below them a board that is drawn anew in its place."""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from ohmykube.report.board import Board

if TYPE_CHECKING:
    from ohmykube.phases.base import Event

_PACE = 0.125  # seconds between two drawings, at least
_TICK = 1.0  # seconds after which the clocks on the board have moved
_LEFT = 3  # lines of the terminal that the board leaves free


class Live:
    """Nothing of the terminal is changed but what is drawn, so there is nothing to restore but the board's lines.

    line_of: the line that stays of an event, if any.
    """

    def __init__(self, line_of: Callable[["Event"], str], terminal: TextIO) -> None:
        self._line_of, self._terminal = line_of, terminal
        self._board = Board()
        self._drawn = 0  # lines of the board that are on the terminal
        self._guard = threading.Lock()
        self._news, self._ended = threading.Event(), threading.Event()
        self._drawer = threading.Thread(target=self._draw_often, name="progress", daemon=True)

    def __enter__(self) -> "Live":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._news.set()
        if self._drawer.ident:
            self._drawer.join()
        with self._guard:
            self._put("")

    def __call__(self, event: "Event") -> None:
        with self._guard:
            if not self._drawer.ident:  # a verb that tells nothing needs no clock
                self._drawer.start()
            self._board.take(event)
            if line := self._line_of(event):
                self._put(f"{line}\n", self._lines())
        self._news.set()

    def _draw_often(self) -> None:
        while not self._ended.wait(_PACE):
            self._news.wait(_TICK)
            self._news.clear()
            if not self._ended.is_set():
                with self._guard:
                    self._put("", self._lines())

    def _lines(self) -> list[str]:
        try:
            columns, lines = os.get_terminal_size(self._terminal.fileno())
        except OSError:
            columns, lines = 80, 24
        # The last column stays free: a terminal may wrap a line that fills it.
        return self._board.lines(columns - 1, lines - _LEFT)

    def _put(self, text: str, board: Sequence[str] = ()) -> None:
        """In one write: take the old board away, add the text, draw the new board."""
        if not (text or board or self._drawn):
            return
        up = f"\033[{self._drawn}A" if self._drawn else ""
        lines = "".join(f"{line}\n" for line in board)
        with suppress(OSError):  # a terminal that is gone ends no verb
            self._terminal.write(f"\r{up}\033[J{text}{lines}")
            self._terminal.flush()
        self._drawn = len(board)
