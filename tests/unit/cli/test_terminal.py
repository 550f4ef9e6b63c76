"""What stands on a terminal of 80 columns: nothing is cut in the middle of a word."""

import os
import shlex
import sys

import click
import pexpect

from ohmykube.cli import cli

LONG = "a message of many words that would not find room in one line of a narrow terminal " * 2
_FAILS = f"""
import click, sys
from ohmykube.cli.output import show
from ohmykube.cli.settings import Settings
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result
hint = "words before it: `ohmykube up --name dev --workers 3 -f dev.yaml`"
error = OhmykubeError("a.code", {LONG!r}.strip(), hint=hint)
show(Result.failed("up", error), Settings(None, "table", "text", 0, False, False, False, False, (), 8, False))
"""


def commands(command, ctx):
    yield ctx
    for name in command.list_commands(ctx) if isinstance(command, click.Group) else ():
        below = command.get_command(ctx, name)
        yield from commands(below, click.Context(below, ctx, info_name=name))


def test_every_help_fits_in_80_columns():
    top = click.Context(cli, info_name="ohmykube", terminal_width=78, **cli.context_settings)
    helps = {ctx.command_path: ctx.get_help().splitlines() for ctx in commands(cli, top)}
    assert len(helps) > 40
    assert [(path, line) for path, lines in helps.items() for line in lines if len(line) > 80] == []


def test_the_flags_of_a_verb_stand_above_those_of_every_verb():
    up = cli.get_command(click.Context(cli), "up")
    own, _, common = click.Context(up, info_name="up").get_help().partition("Options of every verb:")
    assert "--workers" in own
    assert "--catalogue" not in own
    assert "--catalogue" in common


def test_an_error_breaks_between_words_on_a_terminal_and_nowhere_else():
    shown = pexpect.run(
        shlex.join([sys.executable, "-c", _FAILS]), env={**os.environ, "TERM": "xterm"}, dimensions=(24, 60)
    )
    lines = click.unstyle(shown.decode()).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert " ".join(line.strip() for line in lines[:-2]) == f"error: {LONG.strip()} [a.code]".replace("  ", " ")
    assert lines[-2:] == [
        "  hint: words before it:",
        "        `ohmykube up --name dev --workers 3 -f dev.yaml`",
    ]
    piped = pexpect.run(f"sh -c {shlex.quote(shlex.join([sys.executable, '-c', _FAILS]) + ' 2>&1 | cat')}").decode()
    assert piped.splitlines()[0] == f"error: {LONG.strip()}  [a.code]"


def test_words_of_a_last_column_stay_in_it():
    ohmykube = [sys.executable, "-c", "from ohmykube.cli import main; main()", "addon", "list"]
    shown = pexpect.run(shlex.join(ohmykube), env={**os.environ, "TERM": "xterm"}, dimensions=(24, 80)).decode()
    head, *lines = shown.splitlines()
    column = head.index("DESCRIPTION")
    assert all(len(line) <= 80 for line in lines)
    assert any(not line[:column].strip() for line in lines)
    assert all(line[column - 1] == " " != line[column] for line in lines)
