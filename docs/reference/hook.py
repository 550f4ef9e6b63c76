"""The hook of mkdocs.yml: adds the generated pages, and those that lie elsewhere in the checkout, to the site."""

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[2]
sys.path[:0] = [str(TOP), str(TOP / "docs")]  # mkdocs loads a hook by its path

from reference import generated  # noqa: E402

_COLLECTION = "collections/ansible_collections/ohmykube/cluster/"
_ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "LICENSE.txt",
    f"{_COLLECTION}catalogue/catalogue.yml": "catalogue.yml",
}
_LINKS = [
    *((re.escape(place), target) for place, target in _ELSEWHERE.items()),
    (rf"{_COLLECTION}roles/(\w+)/README\.md", r"reference/roles/\1.md"),
    (r"docs/([\w-]+\.md|pictures/[\w.-]+)", r"\1"),
]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    made = {target: (TOP / place).read_text() for place, target in _ELSEWHERE.items()} | generated()
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Links that lead out of the documentation's folder, or into it, as they are on the site."""
    if "/" in page.file.src_uri:
        return markdown
    for place, target in _LINKS:
        markdown = re.sub(rf"(?<=\]\()(?:\.\./)?{place}(?=[)#])", target, markdown)
    return markdown
