"""What is damaged is found, what is not needed goes, and what somebody works on stays."""

import os
import time
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache_entry import Entry
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked

from tests.unit.cache.archives import artifact, docker_archive
from tests.unit.cache.server import Server

DAY = 24 * 3600


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "packages"


@pytest.fixture
def folder(root: Path) -> upkeep.Folder:
    return upkeep.Folder(root)


def filled(cache: Cache, server: Server, *names: str, size: int = 1000) -> list[Entry]:
    """Packages of incompressible content."""
    wanted = [artifact(server.put(name, content), content, component=name) for name, content in noise(names, size)]
    return cache.ensure_all(wanted)


def noise(names: tuple[str, ...], size: int) -> list[tuple[str, bytes]]:
    return [(name, os.urandom(size)) for name in names]


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def names(kept: list[upkeep.Kept]) -> list[str]:
    return sorted(each.rows[0]["component"] for each in kept)


class TestVerify:
    def test_whole_files(self, cache: Cache, server: Server, folder: upkeep.Folder) -> None:
        filled(cache, server, "a", "b")
        seen: list[str] = []
        assert [why for _, why in upkeep.verify([folder], seen.append)] == ["", ""]
        assert sorted(seen) == ["a v1.2.3 (amd64)", "b v1.2.3 (amd64)"]

    def test_what_is_wrong_is_named_removed_and_made_anew(
        self, cache: Cache, server: Server, folder: upkeep.Folder
    ) -> None:
        flipped, cut, gone, whole = filled(cache, server, "flipped", "cut", "gone", "whole")
        content = bytearray(flipped.path.read_bytes())
        content[len(content) // 2] ^= 1
        flipped.path.write_bytes(content)
        cut.path.write_bytes(cut.path.read_bytes()[:-1])
        gone.path.unlink()
        looked = {kept.rows[0]["component"]: why for _, kept, why in upkeep.inspect([folder])}
        assert flipped.path.exists(), "looking removes nothing"
        found = {kept.rows[0]["component"]: why for kept, why in upkeep.verify([folder], str)}
        assert looked == found
        assert found == {
            "flipped": "its sum is wrong",
            "cut": "it is cut short",
            "gone": "it is not there",
            "whole": "",
        }
        assert cache.entries() == [whole]
        assert not flipped.path.exists()
        assert [why for _, why in upkeep.verify([folder], str)] == [""]

    def test_what_was_made_anew_meanwhile_is_not_removed(
        self, cache: Cache, server: Server, folder: upkeep.Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (entry,) = filled(cache, server, "a")
        (kept,) = folder.files()
        good = entry.path.read_bytes()
        entry.path.write_bytes(good[:-1] + b"!")
        remove = Index.remove

        def late(index: Index, *args: object, **more: object) -> list[str]:
            new = entry.path.with_suffix(".other")
            new.write_bytes(good)
            new.replace(entry.path)
            return remove(index, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(Index, "remove", late)
        assert folder.verify(kept) == ""
        assert entry.path.read_bytes() == good

    def test_a_cache_that_is_not_there(self, folder: upkeep.Folder) -> None:
        assert upkeep.verify([folder], str) == []
        assert upkeep.prune([folder], max_size=0) == ([], [], [])
        assert not folder.root.exists()


class TestPrune:
    def test_the_longest_unused_goes_first(self, cache: Cache, server: Server, folder: upkeep.Folder) -> None:
        for number, entry in enumerate(filled(cache, server, "a", "b", "c", "d")):
            age(entry.path, 10 - number)
        size = sum(kept.size for kept in folder.files())
        gone, _, busy = upkeep.prune([folder], max_size=size // 2)
        assert (names(gone), busy) == (["a", "b"], [])
        assert names(folder.files()) == ["c", "d"]

    def test_days(self, cache: Cache, server: Server, folder: upkeep.Folder) -> None:
        for days, entry in zip((40, 20), filled(cache, server, "a", "b"), strict=True):
            age(entry.path, days)
        assert names(upkeep.prune([folder], keep_days=30)[0]) == ["a"]

    def test_being_asked_for_counts_as_use(self, cache: Cache, server: Server, folder: upkeep.Folder) -> None:
        content = b"x" * 1000
        wanted = artifact(server.put("a", content), content)
        age(cache.ensure(wanted).path, 40)
        assert cache.find(wanted)
        gone, _, busy = upkeep.prune([folder], keep_days=30, max_size=0)
        assert (gone, len(busy)) == ([], 1)
        assert cache.ensure(wanted, offline=True)

    def test_what_is_superfluous(self, cache: Cache, server: Server, folder: upkeep.Folder) -> None:
        for entry in filled(cache, server, "a", "b"):
            age(entry.path, 1)
        assert names(upkeep.prune([folder], superfluous=lambda row: row["component"] == "b")[0]) == ["b"]

    def test_both_caches_count_together(self, cache: Cache, images: ImageCache, server: Server, tmp_path: Path) -> None:
        (tmp_path / "app.tar").write_bytes(docker_archive(["app:1", "app:2"], [os.urandom(5000)]))
        both = [upkeep.Folder(tmp_path / "cache" / name) for name in ("packages", "images")]
        for entry in [*filled(cache, server, "a"), *images.add(tmp_path / "app.tar")]:
            age(entry.path, 2 if entry.path.name.startswith("a-") else 1)
        (image,) = both[1].files()
        gone, _, _ = upkeep.prune(both, max_size=image.size)
        assert names(gone) == ["a"]
        gone, _, _ = upkeep.prune(both, max_size=0)
        assert [kept.name for kept in gone] == ["docker.io/library/app:1, docker.io/library/app:2"]
        assert images.entries() == []
        assert not image.path.exists()

    def test_leftovers_go_and_work_stays(self, cache: Cache, server: Server, folder: upkeep.Folder, root: Path) -> None:
        (entry,) = filled(cache, server, "a")
        work = root / "work"
        for name in ("dead.new", "busy.new", "old.part", "old.part.json", "fresh.part", "busy.part", "alone.x"):
            (work / name).write_bytes(b"half")
        (work / "dir.new").mkdir()
        (work / "dir.new" / "file").write_bytes(b"half")
        for name in ("dead", "old", "fresh", "dir"):
            (work / f"{name}.lock").touch()
        for name in ("old.part", "old.part.json", "busy.part", "alone.x"):
            age(work / name, 2)
        (root / "nobodys.tar.zst").write_bytes(b"x")
        with locked(work / "busy.lock", 1):
            _, strays, _ = upkeep.prune([folder])
        gone = {stray.path.name for stray in strays}
        assert gone == {"dead.new", "dir.new", "old.part", "old.part.json", "alone.x", "nobodys.tar.zst"}
        assert {path.name for path in work.iterdir()} == {
            "busy.new",
            "busy.part",
            "busy.lock",
            "fresh.part",
            "fresh.lock",
        }
        assert cache.entries() == [entry]

    def test_strays_are_counted_by_kind(self, cache: Cache, server: Server, folder: upkeep.Folder, root: Path) -> None:
        filled(cache, server, "a")
        (root / "nobodys").write_bytes(b"123")
        (root / "work" / "x.part").write_bytes(b"1234")
        assert [(stray.kind, stray.size) for stray in folder.strays()] == [("unknown", 3), ("unfinished", 4)]
