"""Pictures of a terminal: what its bytes leave on the screen, in colour, at its place, for light and dark."""

import json
import re
import sys
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

pytest.importorskip("pyte", reason="the extra `docs` is not installed")

from pictures.terminal import main

SVG = "{http://www.w3.org/2000/svg}"
TOLD = [
    [0.1, "o", "▸ machines   1s\r\n  <w1>  start\r\n"],
    [2.0, "o", "\r\x1b[2A\x1b[J\x1b[32m✓\x1b[0m machines  2.0s\r\n"],
]


@pytest.fixture
def draw(tmp_path):
    """The words of a picture with their colours, and its style; options and a command as typed."""
    recording, picture = tmp_path / "run.cast", tmp_path / "run.svg"
    head = {"version": 2, "width": 40, "height": 50, "command": "ohmykube up"}
    recording.write_text("\n".join(map(json.dumps, [head, *TOLD])))

    def drawn(*argv):
        done = CliRunner().invoke(main, [str(recording), "-o", str(picture), *argv], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        root = ElementTree.fromstring(picture.read_text())  # noqa: S314
        words = [(each.get("class"), each.text.strip(), each.get("x")) for each in root.iter(f"{SVG}text")]
        return words, root.find(f"{SVG}style").text, root

    return drawn


def test_the_last_screen_is_drawn_or_that_of_a_moment(draw):
    prompt = ("default", "$ ohmykube up", "14.0")
    assert draw()[0] == [prompt, ("green", "✓", "14.0"), ("default", "machines  2.0s", "22.4")]
    words = [("default", "▸ machines   1s", "14.0"), ("default", "<w1>  start", "14.0")]
    assert draw("--at", "1")[0] == [prompt, *words]


def test_each_colour_is_there_for_light_and_dark(draw):
    _, style, root = draw()
    assert root.get("viewBox") == "0 0 364 64"  # 40 columns, and two lines
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    assert re.search(r"\.green\{fill:(#\w+)\}", light)[1] != re.search(r"\.green\{fill:(#\w+)\}", dark)[1]


def test_a_command_runs_on_a_terminal_and_is_answered(draw):
    script = "import os; print(input('Name? '), os.get_terminal_size().columns, os.environ.get('CI'))"
    words = [text for _, text, _ in draw("--columns", "60", "--type", "dev", "--", sys.executable, "-c", script)[0]]
    assert words[-2:] == ["Name? dev", "dev 60 None"]
    assert [text for _, text, _ in draw()[0]] == words
