"""A page for each verb."""

from collections.abc import Iterator

from ohmykube.cli import pages as verb_pages
from reference.markdown import fenced, plain, table


def pages() -> dict[str, str]:
    return {f"reference/verbs/{page.name}.md": "\n".join(_lines(page)) for page in verb_pages.pages()}


def _lines(page: verb_pages.Page) -> Iterator[str]:
    first = len(page.path) == 1
    yield f"# {' '.join(page.path)}\n\n{plain(page.summary)}\n"
    yield from fenced(page.usage)
    for block in page.blocks:
        if block.title:
            yield f"## {block.title}\n"
        yield from fenced(block.text) if block.verbatim else [plain(block.text), ""]
    if page.below:
        yield "## Verbs\n"
        rows = [[f"[`{' '.join(path[1:])}`]({'-'.join(path)}.md)", plain(words)] for path, words in page.below.items()]
        yield from table(["verb", ""], rows)
    if page.flags:
        yield f"## Flags{' of every verb' if first else ''}\n"
        rows = [[f"`{flag.words}`", plain(flag.help), f"`{flag.variable}`"] for flag in page.flags]
        yield from table(["flag", "", "environment"], rows)
    if first:
        yield "## Environment\n"
        yield from table(["variable", ""], [[f"`{name}`", words] for name, words in verb_pages.ENVIRONMENT.items()])
        yield "## Exit codes\n"
        yield from table(["code", ""], [[str(code), words] for code, words in verb_pages.EXIT_CODES.items()])
    else:
        yield "Flags of every verb, and exit codes: [ohmykube](ohmykube.md)."
