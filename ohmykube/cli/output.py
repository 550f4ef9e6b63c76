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
from typing import TYPE_CHECKING, Any

import click

from ohmykube.errors import OhmykubeError
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
            return event.text
        if event.kind not in _ENDS:
            return ""
        sign, color = _ENDS[event.kind]
        return f"{click.style(sign, fg=color) if self.color else sign} {event.phase}  {event.seconds:.1f}s"


def _json_event(event: "Event") -> None:
    from ohmykube.report.record import fields_of

    click.echo(json.dumps({"time": round(time.time(), 3), **fields_of(event)}), err=True)


def _error(error: OhmykubeError, settings: "Settings") -> None:
    if settings.progress == "json":
        click.echo(json.dumps({"time": round(time.time(), 3), "kind": "error", **error.as_dict()}), err=True)
    else:
        _print_error(error, verbose=settings.verbose > 0 or settings.debug)


def _print_error(error: OhmykubeError, *, verbose: bool) -> None:
    click.echo(click.style(f"error: {error.message}", fg="red") + f"  [{error.code}]", err=True)
    output = error.context.get("output", "")
    if output and output not in error.message:
        lines = output.strip().splitlines()
        for line in lines if verbose else lines[-8:]:
            click.echo(f"  | {line}", err=True)
    if error.hint:
        click.echo(f"  hint: {error.hint}", err=True)
    if log := error.context.get("log"):
        click.echo(f"  log: {log}", err=True)


def table(data: Any, columns: Sequence[str], paint: Callable[[str, str], str | None] = lambda *_: None) -> str:
    """paint: the colour of a cell, by its column and its text."""
    rows: list[Mapping[str, Any]] = data if isinstance(data, list) else []
    if not columns:
        return ""
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    for line, row in zip(lines, cells, strict=True):
        line[-1] = row[-1]
    for line in lines[1:]:
        found = [paint(column, cell.rstrip()) for column, cell in zip(columns, line, strict=True)]
        line[:] = [click.style(cell, fg=fg) if fg else cell for cell, fg in zip(line, found, strict=True)]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    return str(value)
