"""The only module that prints. stdout: the result. stderr: progress and errors."""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TextIO

import click

from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import clock
from ohmykube.model.result import Result

if TYPE_CHECKING:
    from ohmykube.cli.settings import Settings
    from ohmykube.phases.base import Event, Events


_JSON_FLAGS = (("-o", "json"), ("--output", "json"))


def show(result: Result, settings: "Settings") -> None:
    """Print a verb's result in the form asked for."""
    if settings.output == "json":
        click.echo(json.dumps(result.as_dict(), indent=2))
    elif settings.output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(result.as_dict(), sort_keys=False), nl=False)
    else:
        text = result.text if result.text is not None else table(result.data, result.columns)
        if text:
            click.echo(text, nl=not text.endswith("\n"))
    for error in result.errors:
        _error(error, settings)


def usage_error(argv: Sequence[str], error: click.ClickException) -> int:
    """What click found wrong with the command line itself; the exit code."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "ohmykube"
    words, hint = error.format_message(), f"`{path} --help` shows what it takes"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        words, hint = "a verb is missing", f"`{path} --help` lists them"
    elif found := re.fullmatch(r"Got unexpected extra argument \((\S+)\)", words):
        hint = f"a cluster is named like `{path} --name {found[1]}`; {hint}"
    problem = OhmykubeError("cli.usage", words, hint=hint, exit_code=2)
    if {"--output=json", "-ojson"} & set(argv) or any(pair in _JSON_FLAGS for pair in pairwise(argv)):
        click.echo(json.dumps(Result.failed(path.split(" ", 1)[-1], problem).as_dict(), indent=2))
    elif ctx and isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(ctx.get_help(), err=True)
        return problem.exit_code
    with click.Context(click.Command("ohmykube"), color=colour(no_color="--no-color" in argv)).scope():
        _print_error(problem, verbose=False)
    return problem.exit_code


def interrupted(command: str) -> None:
    """Nothing is lost by Ctrl-C; say how to go on."""
    click.echo(f"\ninterrupted; `ohmykube {command}` with the same flags goes on from here", err=True)


def progress(settings: "Settings") -> AbstractContextManager["Events"]:
    """How events reach the person; at its end the terminal is as if nothing had been drawn but lines."""
    if settings.progress == "json":
        return nullcontext(_json_event)
    if settings.quiet:
        return nullcontext(_silent)
    color = colour(no_color=settings.no_color) is None and sys.stderr.isatty()
    lines = _Lines(verbose=settings.verbose > 0, color=color)
    if settings.verbose or not sys.stderr.isatty() or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return nullcontext(lines)
    from ohmykube.cli.live import Live

    return Live(lines.of, sys.stderr)


def colour(*, no_color: bool) -> bool | None:
    """What click is told: False for none, None for what the stream can show. https://no-color.org"""
    return False if no_color or os.environ.get("NO_COLOR") else None


def _silent(event: "Event") -> None:
    """-q"""


class LogNotes(logging.Handler):
    """What providers log while something takes long: shown as notes."""

    def __init__(self, events: "Events") -> None:
        super().__init__(logging.INFO)
        self.events = events

    def emit(self, record: logging.LogRecord) -> None:
        from ohmykube.phases.base import Event

        self.events(Event("note", "", record.getMessage()))


_TITLE = 20  # columns of a phase's title, so that times stand below each other
_ENDS = {"done": ("✓", "green"), "fail": ("✗", "red")}


@dataclass(frozen=True)
class _Lines:
    """One line when a phase ends; steps where they are asked for."""

    verbose: bool
    color: bool

    def __call__(self, event: "Event") -> None:
        if line := self.of(event):
            click.echo(line, err=True, color=self.color)
        elif self.verbose and event.kind == "step":
            click.echo("  " + " ".join(part for part in (event.phase + ":", event.node, event.text) if part), err=True)

    def of(self, event: "Event") -> str:
        """The line that stays of an event; empty for most of them."""
        if event.kind == "note":
            return folded(event.text, sys.stderr)
        if event.kind not in _ENDS:
            return ""
        sign, color = _ENDS[event.kind]
        took = f"{event.seconds:.1f}s" if event.seconds < 60 else clock(event.seconds)
        return f"{click.style(sign, fg=color) if self.color else sign} {event.phase:<{_TITLE}} {took:>6}"


def _json_event(event: "Event") -> None:
    from ohmykube.report.record import fields_of

    click.echo(json.dumps({"time": round(time.time(), 3), **fields_of(event)}), err=True)


def _error(error: OhmykubeError, settings: "Settings") -> None:
    if settings.progress == "json":
        click.echo(json.dumps({"time": round(time.time(), 3), "kind": "error", **error.as_dict()}), err=True)
    else:
        _print_error(error, verbose=settings.verbose > 0 or settings.debug)


def _print_error(error: OhmykubeError, *, verbose: bool) -> None:
    head, words = "error:", folded(f"error: {error.message}  [{error.code}]", sys.stderr)
    click.echo(click.style(head, fg="red") + words.removeprefix(head), err=True)
    output = error.context.get("output", "")
    if output and output not in error.message:
        lines = output.strip().splitlines()
        for line in lines if verbose else lines[-8:]:
            click.echo(folded(f"  | {line}", sys.stderr, indent=4), err=True)
    if error.hint:
        click.echo(folded(f"  hint: {error.hint}", sys.stderr, indent=8), err=True)
    if log := error.context.get("log"):
        click.echo(f"  log: {log}", err=True)


_ROOM = 20  # columns that words need at least
_WORD = re.compile(r"\s*\S+")
_PHRASE = re.compile(r"\s*(?:`[^`]*`|\S)+")  # a command to be typed is one


def _columns(stream: TextIO) -> int:
    """Of a terminal; 0 where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # what stands for it in a test
        return 0


def folded(text: str, stream: TextIO, indent: int = 2) -> str:
    """On a terminal, lines end between words; elsewhere each stays one, for those who search."""
    width = _columns(stream)
    return "\n".join(_fold(line, width, indent, _PHRASE) for line in text.split("\n")) if width else text


def _fold(line: str, width: int, indent: int, word: re.Pattern[str]) -> str:
    lines = [""]
    for each in word.findall(line):
        if lines[-1].strip() and len(lines[-1] + each) > width:
            lines.append(" " * indent + each.lstrip())
        else:
            lines[-1] += each
    return "\n".join(lines)


def table(data: Any, columns: Sequence[str], paint: Callable[[str, str], str | None] = lambda *_: None) -> str:
    """paint: the colour of a cell, by its column and its text. Words of the last column are broken on a terminal."""
    rows: list[Mapping[str, Any]] = data if isinstance(data, list) else []
    if not columns:
        return ""
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row.get(column)) for column in columns] for row in rows]
    lines = _padded(cells)
    for line in lines[1:]:
        found = [paint(column, cell.rstrip()) for column, cell in zip(columns, line, strict=True)]
        line[:] = [click.style(cell, fg=fg) if fg else cell for cell, fg in zip(line, found, strict=True)]
    indent = sum(len(cell) + 2 for cell in lines[0][:-1])
    room = _columns(sys.stdout) - indent
    joined = [(line[-1], "  ".join(line).rstrip()) for line in lines]
    return "\n".join(
        _fold(line, indent + room, indent, _WORD) if " " in last and room >= _ROOM else line for last, line in joined
    )


def aligned(rows: Sequence[Sequence[str]], indent: int = 2) -> list[str]:
    """A line for each row, with its cells below those of the others."""
    return [(" " * indent + "  ".join(line)).rstrip() for line in _padded(rows)]


def _padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [[*map(str.ljust, row[:-1], widths), row[-1]] for row in rows]


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    return str(value)
