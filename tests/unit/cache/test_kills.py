"""kill -9 at random moments of everything that fills the cache: the next run finishes, and nothing in it is wrong."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache

from ohmykube import keeping
from ohmykube.artifacts import architecture
from tests.chance import KILLS, chance
from tests.unit.cache.archives import files, hexsum
from tests.unit.cache.server import Server, serve

_TIMEOUT = 120  # seconds for one run, on a busy computer
_NOISE = random.Random(9).randbytes(4_000_000)  # noqa: S311 - not a secret


class Filling:
    """A command that fills a home's cache. `home` is as it was before each run of it."""

    def __init__(self, folder: Path, arguments: list[str], count: int) -> None:
        self.folder, self.arguments, self.count = folder, arguments, count
        self.home = folder / "home"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def start(self) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "ohmykube", "cache", *self.arguments]
        environment = os.environ | {"OHMYKUBE_HOME": str(self.home)}
        return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self) -> None:
        process = self.start()
        _, err = process.communicate(timeout=_TIMEOUT)
        assert process.returncode == 0, err

    def began(self, process: "subprocess.Popen[str]") -> float:
        """When it did its first work on the disk."""
        while not (self.cache / "packages" / "work").exists():
            assert process.poll() is None
            time.sleep(0.001)
        return time.monotonic()

    def seconds(self) -> float:
        """From its first work to its end."""
        process = self.start()
        begin = self.began(process)
        _, err = process.communicate(timeout=_TIMEOUT)
        assert process.returncode == 0, err
        return time.monotonic() - begin

    def forget(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    def clean(self) -> bool:
        return [why for _, why in upkeep.verify(keeping.folders(self.cache), str) if why] == []


def survives(filling: Filling, what: str) -> None:
    choose, seen = chance(what), Counter[str]()
    filling.forget()
    length = filling.seconds()
    assert filling.clean()
    while seen["killed"] < KILLS:
        filling.forget()
        process = filling.start()
        moment = filling.began(process) + choose.random() * length
        time.sleep(max(moment - time.monotonic(), 0))
        seen["killed" if process.poll() is None else "had ended"] += 1
        process.kill()
        process.communicate()
        names = {path.name for path in filling.cache.rglob("*")}
        seen.update(suffix for suffix in (".part", ".new", "index.json.new") if any(n.endswith(suffix) for n in names))
        assert filling.clean()  # whatever is there by now
        filling.finish()
        assert filling.clean()
        assert len(Cache(filling.cache / "packages").entries()) == filling.count
        assert not [path.name for path in filling.cache.rglob("work/*") if path.suffix == ".new"]
    print(f"{what}: {dict(seen)}, of a run of {length:.2f} s")


def pulling(folder: Path, sources: dict[str, dict[str, object]]) -> Filling:
    components = {
        name: {"versions": {"v1.0.0": {architecture(): source}}, "members": source.pop("members")}
        for name, source in sources.items()
    }
    (folder / "catalogue.yml").write_text(yaml.safe_dump({"components": components}))
    arguments = ["pull", "--catalogue", str(folder / "catalogue.yml"), *components]
    return Filling(folder, arguments, len(components))


@pytest.fixture
def slow() -> Iterator[Server]:
    with serve() as running:
        running.rate = 2_000_000
        yield running


def test_during_download(slow: Server, tmp_path: Path) -> None:
    sources: dict[str, dict[str, object]] = {}
    for number in range(3):
        content = _NOISE[number * 1_000_000 : (number + 1) * 1_000_000]
        url = slow.put(f"f{number}", content)
        sources[f"f{number}"] = {"url": url, "sha256": hexsum(content), "members": {"": f"bin/f{number}"}}
    survives(pulling(tmp_path, sources), "kills during download")
    resumed = [asked for _, asked in slow.asked if asked]
    print(f"{len(resumed)} downloads were gone on with")


def test_during_normalise(tmp_path: Path) -> None:
    content = files({"bin/one": _NOISE.hex().encode() * 4, "bin/two": _NOISE}, "tar")
    archive = subprocess.run(["gzip", "-1"], input=content, capture_output=True, check=True, timeout=60).stdout
    (tmp_path / "big.tar.gz").write_bytes(archive)
    source: dict[str, object] = {"url": "file:big.tar.gz", "sha256": hexsum(archive), "members": {"bin/*": "bin/"}}
    survives(pulling(tmp_path, {"big": source}), "kills during normalise")


def test_during_index_writes(tmp_path: Path) -> None:
    """Forty packages of a few bytes: hardly anything else is done."""
    sources: dict[str, dict[str, object]] = {}
    for number in range(40):
        content = str(number).encode()
        (tmp_path / f"f{number}").write_bytes(content)
        sources[f"f{number}"] = {"url": f"file:f{number}", "sha256": hexsum(content), "members": {"": f"bin/{number}"}}
    survives(pulling(tmp_path, sources), "kills during index writes")


def test_during_import(tmp_path: Path) -> None:
    sources: dict[str, dict[str, object]] = {}
    for number in range(20):
        content = _NOISE[number : 2_000_000 + number]
        (tmp_path / f"f{number}").write_bytes(content)
        sources[f"f{number}"] = {"url": f"file:f{number}", "sha256": hexsum(content), "members": {"": f"bin/{number}"}}
    there = pulling(tmp_path, sources)
    there.finish()
    keeping.export(there.cache, tmp_path / "cache.tar", str)
    survives(Filling(tmp_path, ["import", str(tmp_path / "cache.tar")], len(sources)), "kills during import")
