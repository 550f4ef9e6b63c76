"""docs/mistakes.md: what people type wrongly, and what they are told. Each row is done and compared.

    REWRITE_DOCS=1 pytest tests/unit/cli/test_mistakes.py

writes what is said now beside what is typed; read it as those will who made the mistake.
"""

import os
import re
import shlex
from pathlib import Path

import pytest

from ohmykube.providers import lookup
from ohmykube.store.home import Home
from ohmykube.store.state import State
from tests.unit.cli.test_cli import made

PAGE = Path(__file__).parents[3] / "docs/mistakes.md"
ROW = re.compile(r"^\| `(?P<typed>.+?)` \| (?P<said>.*?) \| (?P<hint>.*?) \|$")
REWRITE = "REWRITE_DOCS" in os.environ


def sections():
    """Heading → its rows as (typed, said, hint)."""
    found, heading = {}, ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif row := ROW.match(line):
            found.setdefault(heading, []).append((row["typed"], row["said"], row["hint"]))
    return found


SECTIONS = sections()
ROWS = [(heading, *row) for heading, rows in SECTIONS.items() for row in rows]
NOTHING, FILE, CLUSTER = SECTIONS


def there(heading, tmp_path):
    """What is there when somebody types it."""
    if heading == CLUSTER:
        folder = made("dev", provider="nspawn", hosts=[], ssh={}, network={})
        folder.write_state(State("dev", "nspawn", ready="2026-01-01T00:00:00+00:00"))
        Home.from_environment().choose("dev")


def done(run, heading, typed, tmp_path, monkeypatch):
    """Exit code, the errors, the hints."""
    words = shlex.split(typed)
    if heading == FILE:
        (tmp_path / "dev.yaml").write_text(f"{typed}\n")
        words = ["ohmykube", *("config", "validate", "-f", "dev.yaml")]
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    code, _, err = run(*words[1:])
    errors = [line.removeprefix("error: ").rpartition("  [")[0] for line in err.splitlines() if line[:7] == "error: "]
    hints = [line.strip().removeprefix("hint: ") for line in err.splitlines() if line.strip()[:6] == "hint: "]
    return code, cell(errors, tmp_path), cell(hints, tmp_path)


def cell(lines, tmp_path):
    return "<br>".join(lines).replace(f"{tmp_path}/", "").replace("|", "\\|")


def test_there_are_a_hundred():
    assert len(ROWS) >= 100
    assert len({typed for _, typed, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("heading", "typed", "said", "hint"), ROWS, ids=[row[1] for row in ROWS])
def test_it_says_what_is_wrong_and_what_to_type(run, tmp_path, monkeypatch, heading, typed, said, hint):
    monkeypatch.setattr(lookup, "choose", lambda: ("nspawn", ""))
    monkeypatch.chdir(tmp_path)
    there(heading, tmp_path)
    code, told, hinted = done(run, heading, typed, tmp_path, monkeypatch)
    if REWRITE:
        old, new = f"| `{typed}` | {said} | {hint} |\n", f"| `{typed}` | {told} | {hinted} |\n"
        PAGE.write_text(PAGE.read_text().replace(old, new))
        return
    assert code in (1, 2)
    assert (told, hinted) == (said, hint)
    assert told
