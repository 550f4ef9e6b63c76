"""Verbs that are killed at random moments, with all their processes: the same verb again finishes.

Machines are not processes of a verb: they go on, as they do when a laptop's terminal is closed.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chance import KILLS, chance
from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine
from tests.patience import PATIENCE

pytestmark = pytest.mark.cluster

NAME = "mortal"
UP = ("up", "--name", NAME, "--provider", "nspawn", "--workers", "1")
ADD = ("add", "--name", NAME)
DELETE = ("delete", "--name", NAME, f"{NAME}-worker-1")
DOWN = ("down", "--name", NAME, "--force")
ROUNDS = max(KILLS - 1, 1)  # each takes minutes
_INTERRUPTED = 130


@pytest.fixture(autouse=True)
def gone(ohmykube: CommandLine, machine_image: None) -> Iterator[None]:
    """With a machine image each round is half as long."""
    yield
    if ohmykube.cluster(NAME).exists():
        ohmykube.text(*DOWN)


def test_killed_at_any_moment_the_same_verb_again_finishes(
    ohmykube: CommandLine, bundle: Bundle, tmp_path: Path
) -> None:
    choose, before = chance("kills of verbs"), computer.look()
    for number in range(ROUNDS):
        mortal = Mortal(ohmykube, choose, tmp_path / f"{number}.log")
        mortal.killed(*UP, *bundle.flags, within=20)
        ohmykube.smoke(NAME)
        mortal.killed(*ADD, "--offline", within=10)
        assert _nodes(ohmykube) == {"control-plane-1", "worker-1", "worker-2"}
        mortal.killed(*DELETE, within=3)
        assert _nodes(ohmykube) == {"control-plane-1", "worker-2"}
        assert not ohmykube.data(*UP, "--workers", "1", *bundle.flags)["changed"]
        mortal.killed(*DOWN, within=1.5)
        assert computer.left(before, ohmykube.cluster(NAME)) == []
        assert computer.processes(str(ohmykube.home / "clusters")) == {}
        assert ohmykube.data("list") == []


def test_ctrl_c_ends_it_promptly_and_says_how_to_go_on(ohmykube: CommandLine, bundle: Bundle, tmp_path: Path) -> None:
    choose = chance("Ctrl-C")
    for number in range(KILLS):
        log = tmp_path / f"{number}.log"
        if ohmykube.cluster(NAME).exists():  # else it may be over too soon
            ohmykube.text(*DOWN)
        process = ohmykube.start(*UP, *bundle.flags, log=log)
        time.sleep(choose.uniform(1, 9))
        os.killpg(process.pid, signal.SIGINT)
        pressed = time.monotonic()
        assert process.wait(PATIENCE) == _INTERRUPTED, log.read_text()
        print(f"ended {time.monotonic() - pressed:.1f} s after Ctrl-C")
        assert "ohmykube up" in log.read_text().splitlines()[-1]
    assert ohmykube.data(*UP, *bundle.flags)["nodes"]
    ohmykube.smoke(NAME)


class Mortal:
    """Verbs that do not live to their end. log: what the killed ones said."""

    def __init__(self, ohmykube: CommandLine, choose: Random, log: Path) -> None:
        self.ohmykube, self.choose, self.log = ohmykube, choose, log

    def killed(self, *words: str, within: float) -> None:
        """Kill it after at most so many seconds, and run it again to its end. It may have come to its end before."""
        process = self.ohmykube.start(*words, log=self.log)
        after = self.choose.uniform(0, within)
        try:
            assert process.wait(after) == 0, self.log.read_text()
            return
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            process.wait()
        done = self.ohmykube(*words)
        told = f"{words[0]} after a kill at {after:.2f} s:\n{self.log.read_text()}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, told


def _kill(pid: int) -> None:
    """A process and all that come from it, the one that waits for the others first."""
    tree, left = [], [pid]
    while left:
        one = left.pop()
        tree.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            left += map(int, children.read_text().split())
    for one in tree:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _nodes(ohmykube: CommandLine) -> set[str]:
    """The nodes, all of which are Ready, without the cluster's name."""
    seen = ohmykube.data("status", "--name", NAME)
    assert seen["ready"], seen
    return {node["name"].removeprefix(f"{NAME}-") for node in seen["nodes"]}
