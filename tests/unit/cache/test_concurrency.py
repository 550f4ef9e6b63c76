"""Many threads and processes on one cache, and processes that are killed at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked

from ohmykube import COLLECTIONS
from tests.patience import FOREVER, PATIENCE, soon
from tests.unit.cache.archives import artifact, docker_archive, hexsum, read
from tests.unit.cache.server import Fault, Server

ROOT = Path(__file__).resolve().parents[3]
NOISE = random.Random(7).randbytes(3_000_000)  # noqa: S311 (not a secret)

ENSURE = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
for url, sha256 in zip(sys.argv[4::2], sys.argv[5::2]):
    wanted = Artifact("tool", "v1.2.3", "amd64", url, sha256, members={"": "usr/local/bin/tool"}, mode=0o755)
    print(Cache(Path(sys.argv[3])).ensure(wanted).sha256, flush=True)
"""
ADD = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
for archive in sys.argv[4:]:
    print(ImageCache(Path(sys.argv[3])).add(Path(archive)), flush=True)
"""


def start(script: str, root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(COLLECTIONS), str(ROOT), str(root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_threads_fetch_once(cache: Cache, server: Server) -> None:
    wanted = artifact(server.put("tool", NOISE, Fault(cut=1000), Fault(cut=1000)), NOISE)
    with ThreadPoolExecutor(8) as pool:
        entries = set(pool.map(lambda _: cache.ensure(wanted), range(8)))
    assert len(entries) == 1
    assert len(server.asked) == 3


def test_processes_fetch_once(server: Server, tmp_path: Path) -> None:
    url = server.put("tool", NOISE)
    processes = [start(ENSURE, tmp_path, url, hexsum(NOISE)) for _ in range(3)]
    assert len({process.communicate(timeout=PATIENCE)[0] for process in processes}) == 1
    assert len(server.asked) == 1


def test_processes_lose_no_entry(server: Server, tmp_path: Path) -> None:
    """Each writes the index for an original of its own; afterwards all are in it."""
    contents = [str(number).encode() for number in range(12)]
    pairs = [(server.put(f"t{content.decode()}", content), hexsum(content)) for content in contents]
    shares = [[text for pair in pairs[number::3] for text in pair] for number in range(3)]
    processes = [start(ENSURE, tmp_path, *share) for share in shares]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    assert {entry.source_sha256 for entry in Cache(tmp_path).entries()} == set(map(hexsum, contents))


def test_a_lock_has_a_limit_and_names_its_holder(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock", 1),
        pytest.raises(OhmykubeError, match=str(os.getpid())) as caught,
        locked(tmp_path / "lock", 0.1),
    ):
        pass
    assert caught.value.code == "cache.locked"
    with locked(tmp_path / "lock", 0):
        pass


def test_a_lock_that_its_holder_removes_is_no_lock_for_two(tmp_path: Path) -> None:
    """As prune removes locks: whoever waited takes the file that is there then."""
    inside: list[int] = []

    def work(_: int) -> None:
        for _ in range(8):
            with locked(tmp_path / "lock", 30):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()  # before it goes: from then on another may hold a new one
                (tmp_path / "lock").unlink()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_killed_at_any_moment(server: Server, tmp_path: Path) -> None:
    """Whatever a kill leaves, the cache opens, holds only whole files, and the next process finishes."""
    contents = [NOISE[:400_000] + bytes([number]) for number in range(6)]
    pairs = [(server.put(f"t{number}", content), hexsum(content)) for number, content in enumerate(contents)]
    choose = random.Random(8)  # noqa: S311
    for _ in range(8):
        process = start(ENSURE, tmp_path, *[text for pair in pairs for text in pair])
        assert process.stdout
        if choose.random() < 0.8:
            process.stdout.readline()  # it is at work
        time.sleep(choose.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        check(tmp_path, contents)
    assert start(ENSURE, tmp_path, *[text for pair in pairs for text in pair]).wait(PATIENCE) == 0
    assert len(Cache(tmp_path).entries()) == len(contents)
    check(tmp_path, contents)


def check(root: Path, contents: list[bytes]) -> None:
    assert [why for _, why in upkeep.verify([upkeep.Folder(root)], str) if why] == []
    for entry in Cache(root).entries():
        assert read(entry.path, "usr/local/bin/tool") in contents


def test_a_killed_download_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    url = server.put("tool", NOISE, Fault(cut=1_000_000, stall=FOREVER))
    process = start(ENSURE, tmp_path, url, hexsum(NOISE))
    assert soon(lambda: any(part.stat().st_size >= 1_000_000 for part in tmp_path.glob("work/*.part")))
    process.kill()
    process.communicate()
    assert Cache(tmp_path).entries() == []
    assert start(ENSURE, tmp_path, url, hexsum(NOISE)).wait(PATIENCE) == 0
    assert server.asked[-1] == ("tool", "bytes=1000000-")
    check(tmp_path, [NOISE])


def test_what_killed_processes_left_is_swept(cache: Cache, server: Server, tmp_path: Path) -> None:
    work = tmp_path / "cache" / "packages" / "work"
    work.mkdir(parents=True)
    (work / "dead.new").write_bytes(b"half")
    (work / "alive.new").write_bytes(b"half")
    with locked(work / "alive.lock", 1):
        cache.ensure(artifact(server.put("tool", NOISE), NOISE))
    assert not (work / "dead.new").exists()
    assert (work / "alive.new").exists()


def test_images_by_several_processes_and_a_kill(tmp_path: Path) -> None:
    archives = []
    for number in range(4):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(docker_archive([f"app:{number}"], [NOISE[:500_000] + bytes([number])]))
        archives.append(str(path))
    root = tmp_path / "images"
    killed = start(ADD, root, *archives)
    assert killed.stdout
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    processes = [start(ADD, root, *archives[number:], *archives[:number]) for number in range(3)]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
    images = ImageCache(root).entries()
    assert [image.reference for image in images] == [f"docker.io/library/app:{number}" for number in range(4)]
    assert all(hexsum(image.path.read_bytes()) == image.sha256 for image in images)
    assert not list(root.glob("work/*.new"))
