"""man: manual pages, for packagers and for people who like `man ohmykube up`.

A wheel cannot be given them while it is built: writing them needs everything that the verbs import.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from ohmykube import __version__
from ohmykube.cli.options import Verb
from ohmykube.cli.pages import ENVIRONMENT, EXIT_CODES, Block, Page, pages
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result


@click.command(
    "man",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube man ~/.local/share/man/man1          then `man ohmykube up`
  ohmykube man "$DESTDIR/usr/share/man/man1"    in the recipe of a package
""",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def man_command(session: Session, /, folder: Path) -> Result:  # noqa: ARG001 - as every verb
    """Write a manual page for every verb into a folder.

    The same version writes the same bytes.
    """
    made = {f"{page.name}.1": roff(page) for page in pages()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (folder / name).write_text(text)
    except OSError as error:
        words = f"{error.filename}: {error.strerror}"
        raise OhmykubeError("man.unwritable", words, hint="name a folder that you may write to") from error
    return Result("man", {"folder": str(folder), "pages": list(made)}, text=f"{len(made)} pages are in {folder}.")


def roff(page: Page) -> str:
    """The page in the language of man(7)."""
    return "\n".join(_lines(page)) + "\n"


def _lines(page: Page) -> Iterator[str]:
    yield f'.TH {page.name.upper()} 1 "" "ohmykube {__version__}" "ohmykube"'
    yield ".SH NAME"
    yield f"{_escaped(page.name)} \\- {_escaped(page.summary.rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield f".B {_escaped(page.usage)}"
    yield ".SH DESCRIPTION"
    for block in (Block(page.summary), *page.blocks):
        yield from _block(block)
    if page.below:
        yield ".SH VERBS"
        for path, summary in page.below.items():
            yield from _item(f"{' '.join(path[1:])}", summary)
    if page.flags:
        yield ".SH OPTIONS"
        for flag in page.flags:
            yield from _item(flag.words, flag.help)
    first = len(page.path) == 1
    if first:
        yield ".SH ENVIRONMENT"
        for variable, words in ENVIRONMENT.items():
            yield from _item(variable, words)
    yield ".SH EXIT STATUS"
    for code, words in EXIT_CODES.items():
        yield from _item(str(code), words)
    yield ".SH SEE ALSO"
    related = list(page.below) if first else [page.path[:-1], *page.below]
    yield ",\n".join(f"{_escaped('-'.join(path))}(1)" for path in related)
    if not first:
        yield ".PP\nThe options that every verb has are in ohmykube(1)."


def _block(block: Block) -> Iterator[str]:
    if block.title:
        yield f".SS {_escaped(block.title)}"
    if block.verbatim:
        yield ".PP\n.nf\n.RS 2"
        yield from (_escaped(line) for line in block.text.splitlines())
        yield ".RE\n.fi"
    else:
        yield f".PP\n{_escaped(block.text)}"


def _item(term: str, words: str) -> Iterator[str]:
    yield f".TP\n.B {_escaped(term)}\n{_escaped(words)}"


def _escaped(text: str) -> str:
    """Hyphens that can be copied, and no line that begins like a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return re.sub(r"^(?=[.'])", "\\\\&", text, flags=re.MULTILINE)
