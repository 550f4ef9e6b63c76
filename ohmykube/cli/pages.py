"""Every verb as a page: what its manual page and its page of the documentation are both written from.

click-man walks only commands that are imported already, which ours are not, and knows neither examples nor exit codes.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields

import click

from ohmykube.cli import cli
from ohmykube.cli.settings import Settings

EXIT_CODES = {
    0: "Done.",
    1: "Failed.",
    2: "Wrong usage or configuration.",
    3: "Partly done; the errors say what is not.",
    130: "Interrupted; the same command goes on from there.",
}
ENVIRONMENT = {
    "OHMYKUBE_HOME": "The folder of all state, by default ~/.ohmykube.",
    "OHMYKUBE_<FLAG>": "Each flag of a verb, as OHMYKUBE_WORKERS is --workers. A flag that is typed wins.",
    "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE": "Are heard by all that is downloaded.",
    "NO_COLOR": "No colours.",
}
_COMMON = {field.name for field in fields(Settings)}


@dataclass(frozen=True)
class Block:
    """A paragraph, or lines to be shown as they are, with their title if they have one."""

    text: str
    verbatim: bool = False
    title: str = ""


@dataclass(frozen=True)
class Flag:
    words: str
    help: str
    variable: str


@dataclass(frozen=True)
class Page:
    """path: the words to type. flags: its own; those of every verb are on the first page. below: path → summary."""

    path: tuple[str, ...]
    usage: str
    summary: str
    blocks: tuple[Block, ...]
    flags: tuple[Flag, ...]
    below: dict[tuple[str, ...], str]

    @property
    def name(self) -> str:
        return "-".join(self.path)


def pages() -> Iterator[Page]:
    """The command's own page, then those of all verbs, in the order of the help."""
    yield from _walk(cli, click.Context(cli, info_name="ohmykube", **cli.context_settings))


def _walk(command: click.Command, ctx: click.Context) -> Iterator[Page]:
    path = tuple(ctx.command_path.split())
    contexts = {}
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None  # noqa: S101 - it was just listed
            if not below.hidden:
                contexts[(*path, name)] = click.Context(below, ctx, info_name=name)
    first, *others = _blocks(command.help or "")
    yield Page(
        path=path,
        usage=" ".join([*path, *command.collect_usage_pieces(ctx)]),
        summary=first.text,
        blocks=(*others, *_blocks(command.epilog or "")),
        flags=tuple(_flags(command, ctx, everybody=ctx.parent is None)),
        below={key: _summary(each.command) for key, each in contexts.items()},
    )
    for each in contexts.values():
        yield from _walk(each.command, each)


def _summary(command: click.Command) -> str:
    return _blocks(command.help or "")[0].text


def _flags(command: click.Command, ctx: click.Context, *, everybody: bool) -> Iterator[Flag]:
    for param in command.params:
        record = param.get_help_record(ctx)
        if record and (param.name in _COMMON) == everybody:
            yield Flag(*record, variable=f"OHMYKUBE_{str(param.name).upper()}")


def _blocks(text: str) -> list[Block]:
    """click's markup: paragraphs between empty lines; one that begins with a line \\b stays as it is."""
    found = []
    for part in inspect.cleandoc(text).split("\n\n"):
        lines = part.strip("\n").splitlines()
        if not lines:
            continue
        if lines[0].strip() != "\b":
            found.append(Block(" ".join(line.strip() for line in lines)))
        elif lines[1].endswith(":") and not lines[1].startswith(" "):
            found.append(Block(inspect.cleandoc("\n" + "\n".join(lines[2:])), verbatim=True, title=lines[1][:-1]))
        else:
            found.append(Block("\n".join(lines[1:]), verbatim=True))
    return found
