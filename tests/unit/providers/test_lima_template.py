"""A template of the user's own, which Lima lays below ours: the one that the documentation shows, and bad ones."""

from pathlib import Path

import pytest
import yaml

from ohmykube.providers.lima import template
from tests.unit.docs.blocks import TOP, blocks
from tests.unit.providers.lima_lab import GIB, Lab, worker
from tests.unit.providers.test_lima_parts import MACHINE, RECIPE

DOCUMENT = TOP / "docs/lima.md"
(EXAMPLE,) = [block.text for block in blocks(DOCUMENT) if block.language == "yaml"]


def test_the_documented_one_lies_below_ours(lab: Lab, tmp_path: Path) -> None:
    mine = yaml.safe_load(EXAMPLE)
    mine["images"] = [{"location": str(lab.home / "image")}]  # the stub downloads nothing
    contradicting = {"cpus": 64, "plain": False, "user": {"name": "me"}, "env": {"OHMYKUBE_CLUSTER": "x", "MINE": "1"}}
    path = tmp_path / "machines.yaml"
    path.write_text(yaml.safe_dump({**mine, **contradicting}))
    provider = lab.provider("dev", template=str(path), fetch=None)
    assert provider.preflight([worker("dev-worker-1")]) == []
    provider.prepare()
    provider.create(worker("dev-worker-1"))

    made = lab.template("dev-worker-1")
    assert (made["cpus"], made["memory"], made["plain"]) == (1, str(GIB), True)
    assert (made["user"]["name"], made["env"]["OHMYKUBE_CLUSTER"]) == ("ohmykube", "dev")  # type: ignore[index]
    assert made["env"]["MINE"] == "1"  # type: ignore[index]
    assert (made["timezone"], made["vmOpts"]) == (mine["timezone"], mine["vmOpts"])
    scripts = made["provision"]
    assert scripts[0] == mine["provision"][0]  # type: ignore[index]
    assert "authorized_keys" in scripts[-1]["script"]  # type: ignore[index]


def test_the_documentation_names_every_key_that_we_set() -> None:
    ours = set(yaml.safe_load(template.render(MACHINE, RECIPE))) | {"images"}
    text = DOCUMENT.read_text()
    assert [key for key in ours if f"`{key}" not in text and key != "minimumLimaVersion"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("cpus: [", "is no YAML"),
        ("- a\n", "is no mapping"),
        ("cpus: 2\n", "names no machine image: it needs `images` or a `base`"),
    ],
)
def test_one_that_cannot_be_is_seen_before_anything_is_made(lab: Lab, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    [problem] = lab.provider("dev", template=str(path)).preflight([worker("dev-worker-1")])
    assert (problem.code, problem.exit_code) == ("lima.template", 2)
    assert words in problem.message
