"""The whole life of a cluster, again and again: nothing fails, and nothing is left that was not there before.

    OHMYKUBE_TEST_ROUNDS=10 pytest tests/cluster/test_rounds.py -s

One life is enough for what a verb leaves behind, which other tests see; memory that leaks little by little takes more.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine

NAME = "again"
ROUNDS = int(os.environ.get("OHMYKUBE_TEST_ROUNDS") or 0)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not ROUNDS, reason="lives again and again take long: set OHMYKUBE_TEST_ROUNDS"),
]
_MEMORY = 16 << 10  # KiB that a life may seem to leak
_HELD = ("AnonPages", "Shmem", "KernelStack", "PageTables")  # what is held by processes and tmpfs, not caches


def test_lives_leave_nothing(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> None:
    before, files, memory = computer.look(), _files(ohmykube.home), _memory()
    for number in range(1, ROUNDS + 1):
        _live(ohmykube, bundle.flags)
        assert computer.left(before, ohmykube.cluster(NAME)) == []
        assert computer.processes(str(ohmykube.home / "clusters")) == {}
        assert _files(ohmykube.home) == files
        more = _memory() - memory
        print(f"round {number}: {more / 1024:+.1f} MiB")
        if ROUNDS > 1:  # one life tells nothing: other programs come and go
            assert more < _MEMORY * number


def _live(ohmykube: CommandLine, flags: Sequence[str]) -> None:
    def ready() -> set[str]:
        seen = ohmykube.data("status", "--name", NAME)
        assert seen["ready"], seen
        return {node["name"].removeprefix(f"{NAME}-") for node in seen["nodes"]}

    ohmykube.text("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *flags)
    ohmykube.text("add", "--name", NAME, "--count", "2", "--offline")
    assert ready() == {"control-plane-1", "worker-1", "worker-2", "worker-3"}
    ohmykube.text("delete", "--name", NAME, f"{NAME}-worker-2")
    assert ready() == {"control-plane-1", "worker-1", "worker-3"}
    ohmykube.text("stop", "--name", NAME)
    ohmykube.text("start", "--name", NAME)
    assert ready() == {"control-plane-1", "worker-1", "worker-3"}
    ohmykube.text("down", "--name", NAME, "--force")


def _files(home: Path) -> set[str]:
    """All of the home but the cache, which is that of all tests."""
    return {str(path) for path in home.rglob("*") if "cache" not in path.relative_to(home).parts}


def _memory() -> int:
    """KiB that are in use and cannot be reclaimed."""
    table = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(table[key].split()[0]) for key in _HELD)
