"""The verbs of `chaos`: what they ask of nodes, and what they say of the answers."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.unit.cli.chaos_world import NODES, WORKER, data, make_world, status  # noqa: F401 - a fixture

DOCS = Path(__file__).parents[3] / "docs/chaos.md"


def examples():
    """Those of the documentation, and of every verb's help."""
    verbs = ("power-off", "partition", "delay", "fill-disk", "skew-clock", "heal", "status")
    lines = re.findall(r"^\$ ohmykube (chaos .*?) *(?:#.*)?$", DOCS.read_text(), re.MULTILINE)
    assert {line.split()[1] for line in lines} == set(verbs)
    return lines


@pytest.mark.parametrize("line", examples())
def test_examples_of_the_documentation_work(run, world, line):
    code, _, err = run(*shlex.split(line))
    assert code == 0, err


def test_every_verb_has_help_with_examples_that_work(run, world):
    verbs = re.findall(r"^  ([a-z][a-z-]+)  ", run("chaos", "--help")[1], re.MULTILINE)
    assert len(verbs) == 7
    for verb in verbs:
        text = run("chaos", verb, "--help")[1]
        found = re.findall(rf"^ +ohmykube (chaos {verb}.*?)(?:   .*)?$", text.partition("Examples:")[2], re.MULTILINE)
        assert found, verb
        for line in found:
            code, _, err = run(*shlex.split(line))
            assert code == 0, err
            run("chaos", "heal")


def test_a_fault_is_told_of_and_healed(run, world):
    assert status(run) == []
    row = data(run("chaos", "partition", WORKER, "--for", "5m", "-o", "json"))
    assert (row["node"], row["fault"], row["detail"], row["seconds"]) == (WORKER, "partition", "partition it is", 300)
    assert world.asked["peers"] == ["10.0.0.1", "10.0.0.3"]
    assert status(run) == [(WORKER, "partition", "5m")]
    code, out, _ = run("chaos", "status")
    assert code == 0
    assert out.splitlines()[1].startswith(f"{WORKER}  partition  5m")
    assert run("chaos", "heal", NODES[2])[1] == "No fault is in force.\n"
    assert run("chaos", "heal")[1] == f"{WORKER}: partition healed\n"
    assert run("chaos", "status")[1] == "No fault is in force.\n"


def test_flags_become_options_of_the_module(run, world):
    data(run("chaos", "partition", WORKER, "--from", NODES[2], "-o", "json"))
    assert world.asked["peers"] == ["10.0.0.3"]
    data(run("chaos", "delay", WORKER, "--by", "1.5s", "--loss", "2.5", "-o", "json"))
    assert (world.asked["delay"], world.asked["loss"], world.asked["seconds"]) == (1500, 2.5, 60)
    data(run("chaos", "skew-clock", WORKER, "--by", "-5m", "-o", "json"))
    assert world.asked["skew"] == -300
    data(run("chaos", "skew-clock", WORKER, "--by", "1h", "-o", "json"))
    assert world.asked["skew"] == 3600
    data(run("chaos", "fill-disk", WORKER, "--path", "/srv", "-o", "json"))
    assert world.asked["path"] == "/srv"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["partition", "dev-wroker-1"], "did you mean 'dev-worker-1'"),
        (["power-off", "dev-worker-9"], "dev has no node"),
        (["heal", WORKER, "dev"], "dev has no node 'dev'"),
        (["partition", WORKER, "--from", "worker-2"], "did you mean 'dev-worker-2'"),
        (["partition", WORKER, "--from", WORKER], "is alone"),
        (["partition", WORKER, "--for", "soon"], "30s"),
        (["power-off", WORKER, "--for", "1s"], "2s to 1d"),
        (["partition", WORKER, "--for", "25h"], "2s to 1d"),
        (["delay", WORKER, "--loss", "lots"], "5%"),
        (["delay", WORKER, "--loss", "101"], "5%"),
        (["skew-clock", WORKER, "--by", "noon"], "'noon' is no time"),
        (["partitoin", WORKER], "No such command"),
    ],
)
def test_wrong_usage_exits_2_and_changes_nothing(run, world, args, words):
    code, _, err = run("chaos", *args)
    assert code == 2, err
    assert words in err
    assert not any(world.faults.values())
    assert set(world.provider.existing.values()) == {"running"}


def test_a_node_that_does_not_answer_leaves_the_others_to_be_told_of(run, world):
    data(run("chaos", "partition", WORKER, "-o", "json"))
    world.unreachable = {"10.0.0.3"}
    for verb in ("status", "heal"):
        code, out, _ = run("chaos", verb, "-o", "json")
        answer = json.loads(out)
        assert (code, answer["status"]) == (3, "partial")
        assert [row["node"] for row in answer["data"]] == [WORKER]
        assert answer["errors"][0]["message"] == f"{NODES[2]}: 10.0.0.3 cannot be reached"
        assert answer["errors"][0]["context"]["node"] == NODES[2]
