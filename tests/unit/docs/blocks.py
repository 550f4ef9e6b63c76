"""The blocks of code in the documentation, and whether the commands in them could be run at all."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ohmykube.cli import cli

TOP = Path(__file__).parents[3]
COLLECTION = TOP / "collections/ansible_collections/ohmykube/cluster"
DOCUMENTS = [
    TOP / "README.md",
    TOP / "CONTRIBUTING.md",
    *sorted((TOP / "docs").glob("*.md")),
    COLLECTION / "README.md",
    *sorted(COLLECTION.glob("roles/*/README.md")),
]
LANGUAGES = {"console", "yaml", "python", "toml", "text"}
# What a block may need that a test does not have; written above it as <!-- needs: cluster -->.
NEEDS = {"cluster", "network", "checkout"}
_MARK = re.compile(r"<!-- needs: ([a-z, ]+) -->")


@dataclass(frozen=True)
class Block:
    file: Path
    line: int
    language: str
    needs: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(TOP)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What is typed, of a console block."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def blocks(file: Path) -> Iterator[Block]:
    lines, opened, before = file.read_text().splitlines(), 0, ""
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            before = before if opened else line
        elif opened:
            head = lines[opened - 1].removeprefix("```")
            marked = _MARK.fullmatch(before)
            needs = tuple(marked[1].split(", ")) if marked else ()
            yield Block(file, opened, head, needs, "\n".join(lines[opened : number - 1]))
            opened, before = 0, ""
        else:
            opened = number


def inline(text: str) -> Iterator[str]:
    """Commands of ours in the middle of a sentence."""
    yield from re.findall(r"`(ohmykube [^`]+)`", text)


def invocations(command: str) -> Iterator[list[str]]:
    """The arguments of each call of ohmykube in a line for the shell."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word[0] not in "();<>|&":
            words.append(word)
            continue
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words[:1] == ["ohmykube"]:
            yield words[1:]
        words = []


def wrong(words: Sequence[str]) -> str:
    """Why a command line is none of ours: an unknown verb or flag, or a value that a flag does not take."""
    ctx = click.Context(cli, info_name="ohmykube")
    command: click.Command = cli
    rest = list(words)
    try:
        while True:
            parser = command.make_parser(ctx)
            parser.allow_interspersed_args = not isinstance(command, click.Group)
            values, left, _ = parser.parse_args(rest)
            for param in command.params:
                _check(param, values.get(param.name), ctx)
            if not isinstance(command, click.Group):
                return f"what is {' '.join(left)}?" if left else ""
            if not left or "help" in values or left[0].isupper():  # VERB stands for any
                return ""
            name, found, rest = command.resolve_command(ctx, left)
            if found is None:
                return f"there is no verb {left[0]}"
            ctx, command = click.Context(found, ctx, info_name=name), found
    except click.UsageError as error:
        return error.format_message()


def misnamed(texts: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Place, command and reason of commands in the middle of a sentence that are none of ours."""
    lines = [(place, line) for place, text in texts.items() for line in inline(text)]
    calls = [(place, line, words) for place, line in lines for words in invocations(line)]
    return [(place, line, why) for place, line, words in calls if (why := wrong(words))]


def _check(param: click.Parameter, value: object, ctx: click.Context) -> None:
    """Values of few words; N, NAME and … stand for one."""
    few = isinstance(param.type, click.Choice | click.IntRange)
    for each in value if isinstance(value, list) else [value]:
        if few and isinstance(each, str) and each != "…" and not each.isupper():
            param.type.convert(each, param, ctx)
