"""A picture of a real terminal: a command runs in one, and its last screen is drawn, or that of a moment.

\b
    python docs/pictures/terminal.py build/up.cast -o docs/pictures/up-80.svg --columns 80 -- ohmykube up
    python docs/pictures/terminal.py build/up.cast -o docs/pictures/up-80.svg --at 25   # that run, after 25 s

The recording is an asciicast, so `asciinema play` shows it, too. One picture is both dark and light, as the page is.
"""

import itertools
import json
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import click
import pexpect
import pyte

_LINES = 50  # of the terminal; a picture has as many as were written to
_SILENCE = 1.5  # seconds after which a command waits for an answer
_WIDTH, _HEIGHT, _MARGIN = 8.4, 18, 14  # of a character, and around them
# GitHub's own, as its terminals have them. pyte calls yellow brown.
_DARK = {"ground": "#0d1117", "edge": "#3d444d", "default": "#e6edf3", "red": "#ff7b72", "green": "#3fb950"}
_DARK |= {"brown": "#d29922", "blue": "#58a6ff", "magenta": "#bc8cff", "cyan": "#39c5cf"}
_LIGHT = {"ground": "#ffffff", "edge": "#d1d9e0", "default": "#1f2328", "red": "#cf222e", "green": "#116329"}
_LIGHT |= {"brown": "#845306", "blue": "#0969da", "magenta": "#8250df", "cyan": "#1b7c83"}


def record(command: Sequence[str], columns: int, answers: Sequence[str]) -> Iterator[tuple[float, str]]:
    """What the command writes to a terminal, and when. An answer is typed whenever it is silent."""
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "COLUMNS", "LINES")}
    child = pexpect.spawn(
        command[0],
        list(command[1:]),
        dimensions=(_LINES, columns),
        encoding="utf-8",
        env={**kept, "TERM": "xterm-256color"},
    )
    left, began = list(answers), time.monotonic()
    while True:
        try:
            written = child.read_nonblocking(2**16, timeout=_SILENCE)
            yield round(time.monotonic() - began, 3), written
        except pexpect.TIMEOUT:
            if left:
                child.sendline(left.pop(0))
        except pexpect.EOF:
            return


def screen(columns: int, prompt: str, parts: Sequence[tuple[float, str]], at: float) -> pyte.Screen:
    shown = pyte.Screen(columns, _LINES)
    stream = pyte.Stream(shown)
    stream.feed(f"$ {prompt}\r\n")
    for _, text in itertools.takewhile(lambda part: part[0] <= at, parts):
        stream.feed(text)
    return shown


def svg(shown: pyte.Screen, title: str) -> str:
    rows = [line.rstrip() for line in shown.display]
    rows = rows[: 1 + max((number for number, line in enumerate(rows) if line), default=0)]
    width, height = shown.columns * _WIDTH + 2 * _MARGIN, len(rows) * _HEIGHT + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_rules(_LIGHT)}@media (prefers-color-scheme: dark) {{{_rules(_DARK)}}}",
        "text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}.bold{font-weight:bold}</style>",
        f'<rect class="edge" width="{width:g}" height="{height}" rx="8"/>',
        f'<rect class="ground" x="1" y="1" width="{width - 2:g}" height="{height - 2}" rx="7"/>',
    ]
    for number in range(len(rows)):
        lines += _row(shown, number, len(rows[number]))
    return "\n".join([*lines, "</svg>", ""])


def _row(shown: pyte.Screen, number: int, length: int) -> Iterator[str]:
    """A text for what has one look; it is told its width, whatever font there is."""
    characters = [(column, shown.buffer[number][column]) for column in range(length)]
    for (color, bold), found in itertools.groupby(characters, lambda each: (each[1].fg, each[1].bold)):
        run = list(found)
        text = "".join(char.data for _, char in run)
        x, y = _MARGIN + run[0][0] * _WIDTH, _MARGIN + number * _HEIGHT + 13
        if text.strip():
            look = f'class="{color}{" bold" * bold}" x="{x:.1f}" y="{y}" textLength="{len(run) * _WIDTH:.1f}"'
            yield f'<text {look} xml:space="preserve">{escape(text)}</text>'


def _rules(theme: dict[str, str]) -> str:
    return "".join(f".{name}{{fill:{color}}}" for name, color in theme.items())


@click.command(help=__doc__)
@click.argument("recording", type=click.Path(path_type=Path))
@click.argument("command", nargs=-1)
@click.option("-o", "picture", type=click.Path(path_type=Path), required=True)
@click.option("--columns", default=80, show_default=True)
@click.option("--at", default=float("inf"), metavar="SECONDS", help="The screen of that moment, not the last one.")
@click.option("--type", "answers", multiple=True, metavar="LINE", help="Typed when the command waits (repeatable).")
def main(
    recording: Path, command: tuple[str, ...], picture: Path, columns: int, at: float, answers: tuple[str, ...]
) -> None:
    if command:
        parts = list(record(command, columns, answers))
        head = {"version": 2, "width": columns, "height": _LINES, "command": shlex.join(command)}
        recording.parent.mkdir(parents=True, exist_ok=True)
        events = [json.dumps(head), *(json.dumps([seconds, "o", text]) for seconds, text in parts)]
        recording.write_text("\n".join(events) + "\n")
    head, *told = map(json.loads, recording.read_text().splitlines())
    shown = screen(head["width"], head["command"], [(seconds, text) for seconds, _, text in told], at)
    picture.write_text(svg(shown, head["command"]))


if __name__ == "__main__":
    main()
