"""A result again and again: in place on a terminal, one after the other elsewhere."""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime

import click

from ohmykube.cli import output
from ohmykube.cli.settings import Settings
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result


def watch(look: Callable[[], Result], settings: Settings, *, every: float) -> None:
    """Until Ctrl-C, or until nobody reads any more. A look that fails is shown, and others follow.

    every: seconds from one look to the next.
    """
    try:
        if settings.output == "table" and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            _in_place(look, every)
        else:
            _in_a_row(look, settings, every)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # and what is left in the buffer goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_a_row(look: Callable[[], Result], settings: Settings, every: float) -> None:
    while True:
        began = time.monotonic()
        result = _looked(look)
        if settings.output == "json":
            click.echo(json.dumps(result.as_dict()))
        else:
            output.show(result, settings)
            click.echo("---" if settings.output == "yaml" else "")
        sys.stdout.flush()
        time.sleep(max(0.0, every - (time.monotonic() - began)))


def _in_place(look: Callable[[], Result], every: float) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    plain = click.get_current_context().color is False
    with Live(console=Console(no_color=plain), auto_refresh=False, transient=False) as live:
        live.update(Text("…"), refresh=True)
        while True:
            began = time.monotonic()
            result = _looked(look)
            words = result.text or "\n".join(f"error: {error.message}" for error in result.errors)
            foot = f"{datetime.now():%H:%M:%S}, every {every:g} s. Ctrl-C ends it."
            live.update(Text.from_ansi(f"{words}\n\n{click.style(foot, dim=True)}"), refresh=True)
            time.sleep(max(0.0, every - (time.monotonic() - began)))


def _looked(look: Callable[[], Result]) -> Result:
    try:
        return look()
    except OhmykubeError as error:
        return Result.failed("status", error)
