"""kill -9 at random moments of a pull: the next run finishes, and nothing in the cache is wrong."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from ohmykube import keeping
from tests.chance import KILLS, chance
from tests.unit.images.registry import PROGRAM, Registry

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")

_TIMEOUT = 120  # seconds for one run, on a busy computer
_NOISE = random.Random(7).randbytes(8_000_000)  # noqa: S311 - not a secret


def start(home: Path, registry: Registry) -> "subprocess.Popen[str]":
    reference = f"{registry.address}/killed:v1"
    pull = ["image", "pull", reference, "--arch", "amd64", "--insecure-registry", registry.address]
    environment = os.environ | {"OHMYKUBE_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-m", "ohmykube", *pull],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> None:
    _, err = process.communicate(timeout=_TIMEOUT)
    assert process.returncode == 0, err


def began(home: Path, process: "subprocess.Popen[str]") -> float:
    """When it did its first work on the disk."""
    while not (home / "cache" / "images" / "work").exists():
        assert process.poll() is None
        time.sleep(0.001)
    return time.monotonic()


def test_a_killed_pull_is_gone_on_with(registry: Registry, tmp_path: Path) -> None:
    registry.push("killed", {"amd64": _NOISE, "arm64": b"other"}, "v1")
    home, choose, seen = tmp_path / "home", chance("pull"), Counter[str]()
    process = start(home, registry)
    begin = began(home, process)
    finish(process)
    length = time.monotonic() - begin
    while seen["killed"] < KILLS:
        shutil.rmtree(home)
        process = start(home, registry)
        moment = began(home, process) + choose.random() * length
        time.sleep(max(moment - time.monotonic(), 0))
        process.kill()
        process.communicate(timeout=_TIMEOUT)
        seen["killed" if process.returncode < 0 else "too late"] += 1
        parts = list((home / "cache/images/work").glob("pull.parts/*"))
        seen["with something to go on with"] += bool(parts)

        finish(start(home, registry))

        folders = keeping.folders(home / "cache")
        assert [why for _, why in upkeep.verify(folders, str) if why] == []
        assert len(ImageCache(home / "cache/images").entries()) == 2
        left = [path.name for path in (home / "cache/images/work").iterdir() if path.suffix != ".lock"]
        assert left == []
    print(dict(seen))
