"""Flags that every verb has, and what a verb is: it returns a Result, and one module prints it."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from ohmykube.cli import complete
from ohmykube.cli.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


_COMMON = (
    click.option(
        "--name",
        metavar="NAME",
        shell_complete=complete.clusters,
        help="The cluster.  [default: the current one, else ohmykube]",
    ),
    click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), help="Form of the result on stdout."),
    click.option("--progress", type=click.Choice(["text", "json"]), help="Form of the progress on stderr."),
    click.option("-v", "--verbose", count=True, help="Show every step."),
    click.option("-q", "--quiet", is_flag=True, help="Show no progress."),
    click.option("--debug", is_flag=True, help="Show a traceback where ohmykube itself fails."),
    click.option("--no-color", is_flag=True, help="No colours."),
    click.option("--offline", is_flag=True, help="Open no connection but to the machines."),
    click.option(
        "--catalogue",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        help="Lay a catalogue of your own over ours (repeatable): mirrors, own builds.",
    ),
    click.option(
        "--parallel", type=click.IntRange(min=1), metavar="N", help="At most N machines at once.  [default: 8]"
    ),
    click.option("--yes", is_flag=True, help="Answer questions with yes."),
)
ARCH = click.Choice(["amd64", "arm64"])
allow_unverified = click.option(
    "--allow-unverified", is_flag=True, help="Accept what has no pinned and no published sum, too."
)
_COMMON_NAMES = {field.name for field in fields(Settings)}
_DEFAULTS: dict[str, Any] = {"output": "table", "progress": "text", "parallel": 8}


def common(function: Function) -> Function:
    """Add the common flags. Each can be given before and after the verb, and as OHMYKUBE_<FLAG>."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


class Verb(click.Command):
    """A command whose function takes a Session and its own flags, and returns a Result."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        holder = common(_no_flags)
        self.params += getattr(holder, "__click_params__", [])[::-1]
        del holder.__click_params__  # type: ignore[attr-defined]
        for param in self.params:
            if isinstance(param, click.Option):
                param.envvar = f"OHMYKUBE_{param.name.upper()}" if param.name else None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Those of every verb stand below, where they hide none of its own."""
        parts: dict[str, list[tuple[str, str]]] = {"Options": [], "Options of every verb": []}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                parts["Options of every verb" if param.name in _COMMON_NAMES else "Options"].append(record)
        for title, records in parts.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> NoReturn:
        from ohmykube.cli import audit, output
        from ohmykube.cli.wiring import Session
        from ohmykube.errors import OhmykubeError
        from ohmykube.model.result import Result

        given = {field.name: _value(ctx, field.name) for field in fields(Settings)}
        given |= {key: value for key, value in _DEFAULTS.items() if given[key] is None}
        settings = Settings(**given)
        ctx.color = output.colour(no_color=settings.no_color)
        command = ctx.command_path.split(" ", 1)[-1]
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            with output.progress(settings) as events, _notes(output.LogNotes(events)):
                ctx.obj = Session(settings, events)
                with audit.logged(ctx, command, settings.name or ctx.obj.home.current()) as ended:
                    result: Result = super().invoke(ctx)
                    ended(result.exit_code)
        except OhmykubeError as error:
            result = Result.failed(command, error)
        except KeyboardInterrupt:
            output.interrupted(command)
            ctx.exit(130)
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:
            if settings.debug:
                raise
            words = f"{type(error).__name__}: {error}"
            hint = "this is a defect of ohmykube: please report it with the output of the same command and --debug"
            result = Result.failed(command, OhmykubeError("internal", words, hint=hint))
        output.show(result, settings)
        ctx.exit(result.exit_code)


@contextmanager
def _notes(handler: logging.Handler) -> Iterator[None]:
    """Meanwhile what ohmykube logs goes there."""
    logger = logging.getLogger("ohmykube")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _value(ctx: click.Context, flag: str) -> Any:
    """A common flag's value: after the verb, before it, the environment, in this order."""
    value = ctx.params.pop(flag)
    before = ctx.parent.find_root().params.get(flag) if ctx.parent else None
    written = ctx.get_parameter_source(flag) is click.core.ParameterSource.COMMANDLINE
    return value if written or before in (None, (), False, 0) else before


def _no_flags() -> None: ...


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
