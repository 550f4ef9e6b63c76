"""Live progress: what stands on the board, and what is left on a terminal when it ends."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmykube.phases.base import Event
from ohmykube.report.board import Board
from tests.unit.report.records import PLANE, WORKER

_TEXTS = st.one_of(st.sampled_from(["kubeadm: 30 % of 7.0 MiB", "a\nb"]), st.text(st.characters(codec="ascii")))
_EVENTS = st.builds(
    Event,
    st.sampled_from(["start", "step", "step", "step", "task", "done", "note"]),
    st.sampled_from(["machines", "Kubernetes"]),
    _TEXTS,
    st.sampled_from(["", PLANE, WORKER]),
    expected=st.floats(0, 1000),
)


def board_of(*events):
    board = Board()
    for event in events:
        board.take(event, now=0.0)
    return board


def test_phases_nodes_and_downloads_with_their_times():
    board = board_of(
        Event("start", "machines", expected=28.4),
        Event("step", "machines", "create", WORKER),
        Event("step", "machines", "start", PLANE),
        Event("task", "machines", "create", WORKER, 1.0, "ok"),
        Event("start", "packages"),
        Event("step", "packages", "kubeadm v1.36.4, kubelet v1.36.4"),
        Event("step", "packages", "kubeadm v1.36.4: 50 % of 71.0 MiB"),
        Event("start", "images"),
        Event("step", "images", "reg.test/pause:1"),
        Event("start", "check"),
        Event("done", "check", seconds=1.0),
    )
    assert board.lines(64, 20, now=65.0) == [
        "▸ machines                                         1m05s of ~28s",
        "  dev-control-plane-1  start                               1m05s",
        "▸ packages                                                 1m05s",
        "  kubeadm v1.36.4                          ━━━━━━━━╌╌╌╌╌╌╌╌  50%",
        "▸ images                                                   1m05s",
        "  reg.test/pause:1",
    ]


def test_what_finds_no_room_is_counted():
    events = [Event("step", "machines", "create", f"w{number}") for number in range(50)]
    lines = board_of(Event("start", "machines"), *events).lines(40, 6, now=0.0)
    assert len(lines) == 6
    assert lines[-1] == "  … and 46 more lines"


@given(st.lists(_EVENTS, max_size=30), st.integers(1, 200), st.integers(0, 20), st.floats(0, 1e5))
def test_the_board_never_leaves_its_room(events, width, height, now):
    lines = board_of(*events).lines(width, height, now)
    assert len(lines) <= height
    assert all(len(line) <= width and "\n" not in line for line in lines)


class Screen:
    """A terminal of so many columns, as far as we use one."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column = columns, [""], 0, 0

    def feed(self, text):
        for part in re.findall(r"\033\[\d*[AJ]|[\r\n]|[^\r\n\033]+", text):
            if part == "\n":
                self.row, self.column = self.row + 1, 0
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif part == "\r":
                self.column = 0
            elif part.startswith("\033["):
                if part.endswith("A"):
                    self.row -= int(part[2:-1])
                    assert self.row >= 0
                else:
                    self.rows[self.row] = self.rows[self.row][: self.column]
                    del self.rows[self.row + 1 :]
            else:
                assert self.column + len(part) < self.columns, "it wraps"
                self.rows[self.row] = self.rows[self.row][: self.column] + part
                self.column += len(part)

    def text(self):
        return "\n".join(self.rows).rstrip("\n")


_VERB = """
    import sys, time
    from ohmykube.cli import output
    from ohmykube.cli.settings import Settings
    from ohmykube.phases.base import Event
    settings = Settings(None, "table", "text", 0, False, False, "--no-color" in sys.argv, False, (), 8, False)
    try:
        with output.progress(settings) as events:
            events(Event("start", "machines", expected=9))
            for number in range(40):
                events(Event("step", "machines", "make it " * 20, f"dev-worker-{number}"))
                time.sleep(0.01)
            events(Event("done", "machines", seconds=1.25))
            events(Event("start", "Kubernetes"))
            events(Event("step", "Kubernetes", "run", "dev-worker-1"))
            time.sleep(0.3)
            if "wait" in sys.argv:
                time.sleep(60)
            events(Event("fail", "Kubernetes", seconds=0.5))
            events(Event("step", "Kubernetes", "run", "dev-worker-2"))
            time.sleep(0.3)
    except KeyboardInterrupt:
        output.interrupted("up")
"""


def on_terminal(*argv, columns=80, lines=12, interrupt="", **environment):
    """What such a verb writes to a terminal, which must be as it was. interrupt: the words that Ctrl-C comes after."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    before = termios.tcgetattr(theirs)
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    verb = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_VERB), *argv],
        stderr=theirs,
        env={**kept, "TERM": "xterm", **environment},
    )
    written = b""
    while verb.poll() is None or _waiting(ours):
        if _waiting(ours):
            written += os.read(ours, 2**16)
        if interrupt and interrupt in written.decode(errors="ignore"):
            interrupt = verb.send_signal(signal.SIGINT)
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
    return written.decode().replace("\r\n", "\n")


def _waiting(ours):
    return bool(select.select([ours], [], [], 0.05)[0])


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_only_what_has_ended_stays_on_the_terminal(columns):
    written = on_terminal("--no-color", columns=columns)
    screen = Screen(columns)
    seen = ""
    for part in written.split("\033[J"):
        screen.feed(part)
        seen = screen.text() if "machines" in screen.text() and "more lines" in screen.text() else seen
        screen.feed("\033[J")
    assert "▸ machines" in seen
    assert "of ~9s" in seen
    assert len(seen.splitlines()) <= 12 - 3
    assert screen.text() == "✓ machines               1.2s\n✗ Kubernetes             0.5s"


def test_it_is_drawn_eight_times_a_second_at_most():
    begun = time.monotonic()
    drawn = on_terminal().count("▸ ")
    assert 2 <= drawn <= 8 * (time.monotonic() - begun) + 2


def test_ctrl_c_leaves_lines_alone():
    screen = Screen(80)
    screen.feed(on_terminal("wait", "--no-color", interrupt="▸ Kubernetes"))
    assert screen.text().splitlines()[0] == "✓ machines               1.2s"
    assert screen.text().splitlines()[-1].startswith("interrupted; `ohmykube up`")
    assert "▸" not in screen.text()


def test_no_colour_where_none_is_welcome():
    assert "\033[32m✓" in on_terminal()
    assert "\033[3" not in on_terminal("--no-color")
    assert "\033[3" not in on_terminal(NO_COLOR="1")


def test_in_ci_and_on_a_dumb_terminal_there_are_lines_alone():
    for environment in ({"CI": "true"}, {"TERM": "dumb"}):
        assert "▸" not in on_terminal(**environment)
