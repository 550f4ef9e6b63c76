"""Four processes that fill and prune one cache at once, for a while."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index

from ohmykube import COLLECTIONS, keeping
from tests.chance import KILLS, chance
from tests.patience import soon
from tests.unit.cache.archives import artifact, docker_archive, hexsum
from tests.unit.cache.server import Server

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = 6 * KILLS
# Seconds instead of an hour; longer than a process takes from asking for an entry to reading its file, nearly always.
IN_USE = 1.5

# Arguments: two folders to import from, the caches' root, a seed, the number of rounds, then name, url and sum of each.
WORK = """
import hashlib, json, random, sys, time
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from ohmykube import keeping
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
upkeep.IN_USE = IN_USE
root, choose, rounds = Path(sys.argv[3]), random.Random(sys.argv[4]), int(sys.argv[5])
known = [
    Artifact(name, "v1.0.0", "amd64", url, sum_, members={"": f"bin/{name}"})
    for name, url, sum_ in zip(sys.argv[6::3], sys.argv[7::3], sys.argv[8::3])
]

def read(entry, asked):
    try:
        assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256, entry
    except FileNotFoundError:
        assert time.monotonic() - asked > upkeep.IN_USE, entry  # a slow computer: it was in use no more

removed = []
for number in range(rounds):
    begin = 2 * number % len(known)  # what is needed wanders around in a circle, so that all is out of use for a while
    needed = [*known, *known][begin:begin + 6]
    asked = time.monotonic()
    for entry in Cache(root / "packages").ensure_all(choose.sample(needed, 4)):
        read(entry, asked)
    archive = choose.choice(sorted(Path(sys.argv[3], "..").glob("*.tar")))
    asked = time.monotonic()
    for image in ImageCache(root / "images").add(archive):
        read(image, asked)
    time.sleep(choose.random() * 0.4)
    if choose.random() < 0.7:
        gone, _, _ = upkeep.prune(keeping.folders(root), max_size=choose.choice([0, 200_000, 500_000]))
        removed += [kept.rows[0]["component"] for kept in gone if kept.kind == "package"]
    found = [(kept.name, why) for kept, why in upkeep.verify(keeping.folders(root), str) if why]
    assert not found, found
print(json.dumps(removed))
""".replace("= IN_USE", f"= {IN_USE}")


def test_they_lose_nothing_and_fetch_nothing_twice(server: Server, tmp_path: Path) -> None:
    choose = chance("four processes")
    contents = {f"f{number}": choose.randbytes(100_000) for number in range(24)}
    triples = [text for name, each in contents.items() for text in (name, server.put(name, each), hexsum(each))]
    for number in range(3):
        (tmp_path / f"{number}.tar").write_bytes(docker_archive([f"app:{number}"], [choose.randbytes(100_000)]))
    root = tmp_path / "cache"
    processes = []
    for _ in range(4):
        arguments = [str(COLLECTIONS), str(ROOT), str(root), str(choose.random()), str(ROUNDS), *triples]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WORK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    removed: Counter[str] = Counter()
    for process in processes:
        out, err = process.communicate(timeout=60 + ROUNDS * 10)
        assert process.returncode == 0, err
        removed.update(json.loads(out))

    asked = Counter(path for path, _ in server.asked)
    print(f"{4 * ROUNDS} rounds, {sum(asked.values())} downloads, {sum(removed.values())} packages pruned")
    assert sum(removed.values()) > 0
    there = {entry.component for entry in Cache(root / "packages").entries()}
    assert all(asked[name] == removed[name] + (name in there) for name in contents)  # none lost, none fetched twice
    assert [why for _, why in upkeep.verify(keeping.folders(root), str) if why] == []
    assert {stray.kind for folder in keeping.folders(root) for stray in folder.strays()} <= {"unfinished"}
    wanted = [artifact(server.url(name), each, component=name, version="v1.0.0") for name, each in contents.items()]
    assert len(Cache(root / "packages").ensure_all(wanted)) == len(contents)


def test_a_file_in_use_is_not_pruned(server: Server, tmp_path: Path) -> None:
    """Not even when it was old as prune looked: it asks again under the lock."""
    root = tmp_path / "cache"
    content = b"x" * 1000
    wanted = artifact(server.put("f", content), content)
    entry = Cache(root / "packages").ensure(wanted)
    os.utime(entry.path, (1, 1))
    folder = keeping.folders(root)[0]
    looked = folder.files()
    assert Cache(root / "packages").find(wanted)
    assert folder.prune(looked, entry.path.stat().st_mtime) == []


@pytest.mark.parametrize("stays", [True, False])
def test_a_claim_of_what_is_going_is_answered_when_that_is_known(server: Server, tmp_path: Path, stays: bool) -> None:
    index, content = Index(tmp_path), b"x" * 1000
    path = Cache(tmp_path).ensure(artifact(server.put("f", content), content)).path
    os.utime(path, (1, 1))
    with ThreadPoolExecutor(1) as pool:
        claims: list[Future[bool]] = []

        def late(path: Path) -> bool:
            """Asked before the index is written and after that: in between somebody claims the file."""
            if claims:
                assert soon(lambda: path.stat().st_mtime > 1)
                return stays
            claims.append(pool.submit(lambda: soon(lambda: not index.rows()) and index.claim([path.name])))
            return False

        assert index.remove([path.name], unless=late) == ([] if stays else [path.name])
        assert claims[0].result() == stays == path.exists()


def test_an_image_that_is_known_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(docker_archive(["app:1"]))
    images = ImageCache(tmp_path / "cache" / "images")
    (image,) = images.add(tmp_path / "app.tar")
    os.utime(image.path, (1, 1))
    assert images.add(tmp_path / "app.tar") == [image]
    assert upkeep.prune(keeping.folders(tmp_path / "cache"), max_size=0)[0] == []


def test_an_entry_that_goes_as_somebody_finds_it_is_made_anew(server: Server, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "packages")
    content = b"x" * 1000
    wanted = artifact(server.put("f", content), content)
    cache.ensure(wanted).path.unlink()
    assert cache.find(wanted) is None
    assert cache.ensure(wanted).path.exists()
    assert len(server.asked) == 2


def test_images_of_a_pruned_cache_are_missing_politely(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(docker_archive(["app:1"]))
    images = ImageCache(tmp_path / "cache" / "images")
    (image,) = images.add(tmp_path / "app.tar")
    os.utime(image.path, (1, 1))
    upkeep.prune(keeping.folders(tmp_path / "cache"), max_size=0)
    assert images.find("app:1", "amd64") is None
    assert images.add(tmp_path / "app.tar")[0].path.exists()
    assert [why for _, why in upkeep.verify(keeping.folders(tmp_path / "cache"), str) if why] == []
