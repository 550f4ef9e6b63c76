"""The package cache: what gets in, what does not, and what a second asker finds."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import ErrorGroup, OhmykubeError

from tests.unit.cache.archives import artifact, files, hexsum, read
from tests.unit.cache.packages import TOOL, cache_recipe
from tests.unit.cache.server import Fault, Server


def refused(cache: Cache, wanted: Artifact, **options: bool) -> OhmykubeError:
    with pytest.raises(OhmykubeError) as caught:
        cache.ensure(wanted, **options)
    assert cache.entries() == []
    assert cache.find(wanted) is None
    return caught.value


def leftovers(cache_root: Path) -> list[str]:
    return sorted(path.name for path in (cache_root / "work").iterdir() if path.suffix != ".lock")


class TestEnsure:
    def test_fetched_verified_and_ready(self, cache: Cache, server: Server, root: Path) -> None:
        archive = files({"bin/tool": TOOL})
        wanted = artifact(server.put("t.tgz", archive), archive, format="tar.gz", members={"bin/*": "usr/bin/"}, mode=0)
        seen: list[tuple[str, int, int]] = []
        entry = cache.ensure(wanted, progress=lambda *step: seen.append(step))
        assert read(entry.path, "usr/bin/tool") == TOOL
        assert entry.path.parent == root
        assert entry.path.name == f"tool-v1.2.3-amd64-{entry.sha256[:16]}.tar.zst"
        assert entry.sha256 == hexsum(entry.path.read_bytes())
        assert (entry.source_sha256, entry.source_url, entry.verified) == (hexsum(archive), wanted.url, True)
        assert entry.files == ("usr/bin/tool",)
        assert seen[-1] == ("tool v1.2.3 (amd64)", len(archive), len(archive))
        assert cache.find(wanted) == entry
        assert cache.entries() == [entry]
        assert leftovers(root) == []

    def test_once_is_enough(self, cache: Cache, server: Server) -> None:
        wanted = artifact(server.put("tool", TOOL), TOOL)
        assert cache.ensure(wanted) == cache.ensure(wanted, offline=True)
        assert len(server.asked) == 1

    def test_a_local_file_needs_no_network(self, cache: Cache, tmp_path: Path) -> None:
        (tmp_path / "my tool").write_bytes(TOOL)
        wanted = artifact((tmp_path / "my tool").as_uri(), TOOL)
        assert cache.is_local(wanted)
        assert read(cache.ensure(wanted, offline=True).path, "usr/local/bin/tool") == TOOL
        (tmp_path / "my tool").unlink()
        assert cache.is_local(wanted)

    def test_the_cache_may_move(self, cache: Cache, server: Server, root: Path) -> None:
        wanted = artifact(server.put("tool", TOOL), TOOL)
        cache.ensure(wanted)
        moved = Cache(root.rename(root.with_name("moved"))).find(wanted)
        assert moved
        assert moved.path.is_file()

    def test_everything_is_private(self, cache: Cache, server: Server, root: Path) -> None:
        entry = cache.ensure(artifact(server.put("tool", TOOL), TOOL))
        assert entry.path.stat().st_mode & 0o77 == 0
        assert root.stat().st_mode & 0o77 == 0
        assert root.parent.stat().st_mode & 0o77 == 0

    def test_what_goes_to_no_node_is_kept_as_it_is(self, cache: Cache, server: Server) -> None:
        wanted = artifact(server.put("flannel.yml", b"kind: List"), b"kind: List", members={}, arch="any")
        path = cache.raw(wanted)
        assert path.read_bytes() == b"kind: List"
        assert path.suffix == ".yml"
        entry = cache.ensure(wanted, offline=True)
        assert (entry.path, entry.sha256, entry.files) == (path, entry.source_sha256, ())
        assert cache.find(wanted) == entry

    def test_the_original_of_what_goes_to_nodes(self, cache: Cache, server: Server) -> None:
        archive = files({"tool": TOOL})
        wanted = artifact(server.put("t.tgz", archive), archive, format="tar.gz", members={"tool": "usr/bin/"})
        entry = cache.ensure(wanted)
        assert cache.raw(wanted).read_bytes() == archive
        assert cache.raw(wanted).name.endswith(".tar.gz")
        assert cache.find(wanted) == entry

    def test_all_at_once_in_order_each_once(self, cache: Cache, server: Server) -> None:
        wanted = [artifact(server.put(name, name.encode()), name.encode(), component=name) for name in "abcdef"]
        assert [entry.component for entry in cache.ensure_all(wanted)] == list("abcdef")
        assert len(server.asked) == 6

    def test_all_that_is_missing_is_said_at_once(self, cache: Cache, server: Server) -> None:
        wanted = [artifact(server.url(name), b"", component=name) for name in "ab"]
        wanted.append(artifact(server.put("c", TOOL), TOOL, component="c"))
        with pytest.raises(ErrorGroup) as caught:
            cache.ensure_all(wanted, offline=True)
        assert [error.code for error in caught.value.errors] == ["cache.offline"] * 3
        assert server.asked == []
        with pytest.raises(ErrorGroup) as caught:
            cache.ensure_all(wanted)
        assert [error.code for error in caught.value.errors] == ["download.failed"] * 2
        assert cache.find(wanted[2])


class TestSums:
    @pytest.mark.parametrize("pinned", [True, False])
    def test_the_longer_kind_serves_as_well(self, cache: Cache, server: Server, root: Path, pinned: bool) -> None:
        """Debian publishes no other for its machine images."""
        good, bad = (hashlib.sha512(content).hexdigest() for content in (TOOL, b"another"))

        def wanted(digest: str) -> Artifact:
            sums = server.put("SHA512SUMS", f"{digest}  tool\n".encode())
            made = artifact(server.put("tool", TOOL), members={}, checksum_url=sums)
            return replace(made, sha512=digest) if pinned else made

        error = refused(cache, wanted(bad))
        assert (error.code, error.context["found"]) == ("cache.sum-mismatch", good)
        assert "its sha512 is" in error.message
        entry = cache.ensure(wanted(good))
        assert (entry.source_sha512, entry.source_sha256, entry.verified) == (good, hexsum(TOOL), True)
        assert cache.find(wanted(good)) == entry
        assert (cache.find(wanted(bad)) is None) == pinned
        assert Cache(root).entries() == [entry]

    def test_the_wrong_file_never_gets_in(self, cache: Cache, server: Server, root: Path) -> None:
        error = refused(cache, artifact(server.put("tool", b"evil"), TOOL))
        assert error.code == "cache.sum-mismatch"
        assert hexsum(b"evil") in error.message
        assert hexsum(TOOL) in error.message
        assert leftovers(root) == []

    def test_one_flipped_bit(self, cache: Cache, server: Server) -> None:
        archive = files({"tool": TOOL})
        for position in range(5, len(archive), len(archive) // 7):
            damaged = bytearray(archive)
            damaged[position] ^= 4
            url = server.put("t.tgz", bytes(damaged))
            wanted = artifact(url, archive, format="tar.gz", members={"tool": "usr/bin/"})
            assert refused(cache, wanted).code == "cache.sum-mismatch"

    def test_a_hostile_archive_with_the_right_sum(self, cache: Cache, server: Server, root: Path) -> None:
        archive = files({"../tool": TOOL})
        url = server.put("t.tgz", archive)
        assert refused(cache, artifact(url, archive, format="tar.gz", members={"*": "x/"})).code == "archive.hostile"
        assert leftovers(root) == []

    def test_what_lay_here_was_of_another_file(self, cache: Cache, server: Server) -> None:
        """A resumed download whose server vouches wrongly: the sum finds out, and it starts over, once."""
        with pytest.raises(OhmykubeError):
            cache.ensure(artifact(server.put("tool", b"x" * 9000, Fault(cut=1000), *[Fault(cut=0)] * 3), TOOL))
        server.put("tool", TOOL, Fault(headers={"ETag": '"same"'}))
        for note in (cache._work).glob("*.json"):
            note.write_text(json.dumps({"url": server.url("tool"), "validator": f'"{hexsum(TOOL)[:16]}"'}))
        assert read(cache.ensure(artifact(server.url("tool"), TOOL)).path, "usr/local/bin/tool") == TOOL

    def test_published_sums_are_used(self, cache: Cache, server: Server) -> None:
        sums = server.put("SHA256SUMS", f"{hexsum(TOOL)}  tool\n".encode())
        wanted = artifact(server.put("v1/tool", TOOL), checksum_url=sums)
        assert cache.ensure(wanted).verified
        wrong = replace(wanted, version="v2.0.0", url=server.put("v2/tool", b"evil"))
        with pytest.raises(OhmykubeError) as caught:
            cache.ensure(wrong)
        assert caught.value.code == "cache.sum-mismatch"

    @pytest.mark.parametrize("published", [b"", b"sorry", b"00  other"])
    def test_no_sum_anywhere(self, cache: Cache, server: Server, published: bytes) -> None:
        wanted = artifact(server.put("tool", TOOL), checksum_url=server.put("sums", published))
        assert "--allow-unverified" in refused(cache, wanted).hint
        assert "nobody" in refused(cache, replace(wanted, checksum_url="")).message

    def test_unverified_only_for_those_who_allow_it(self, cache: Cache, server: Server) -> None:
        wanted = artifact(server.put("tool", TOOL), checksum_url=server.url("gone"))
        entry = cache.ensure(wanted, allow_unverified=True)
        assert not entry.verified
        assert cache.ensure(wanted, allow_unverified=True) == entry
        with pytest.raises(OhmykubeError):
            cache.ensure(wanted)
        assert cache.ensure(replace(wanted, sha256=hexsum(TOOL))).source_sha256 == hexsum(TOOL)

    def test_local_sums(self, cache: Cache, tmp_path: Path) -> None:
        (tmp_path / "tool").write_bytes(TOOL)
        url = (tmp_path / "tool").as_uri()
        wanted = artifact(url, checksum_url=f"{url}.sha256")
        assert refused(cache, wanted, offline=True).code == "cache.unverified"
        (tmp_path / "tool.sha256").write_text(hexsum(TOOL))
        assert cache.ensure(wanted, offline=True).verified

    def test_a_remote_sum_of_a_local_file_offline(self, cache: Cache, server: Server, tmp_path: Path) -> None:
        (tmp_path / "tool").write_bytes(TOOL)
        wanted = artifact((tmp_path / "tool").as_uri(), checksum_url=server.url("sums"))
        assert refused(cache, wanted, offline=True).code == "cache.unverified"
        assert server.asked == []

    def test_offline_never_asks(self, cache: Cache, server: Server) -> None:
        for wanted in (
            artifact(server.put("tool", TOOL), TOOL),
            artifact(server.url("tool"), checksum_url=server.url("x")),
        ):
            error = refused(cache, wanted, offline=True)
            assert error.code == "cache.offline"
            assert error.context["url"] == wanted.url
        assert server.asked == []


class TestFind:
    def test_another_pinned_sum_is_another_original(self, cache: Cache, server: Server) -> None:
        """Two overlays may disagree about a version: each finds its own."""
        mine, theirs = (artifact(server.put(name, name.encode()), name.encode()) for name in ("mine", "theirs"))
        first, second = cache.ensure(mine), cache.ensure(theirs)
        assert cache.find(mine) == first
        assert cache.find(theirs) == second
        assert cache.find(artifact(mine.url, b"neither")) is None

    def test_the_same_original_from_elsewhere_serves(self, cache: Cache, server: Server) -> None:
        entry = cache.ensure(artifact(server.put("tool", TOOL), TOOL))
        assert cache.find(artifact("https://mirror.example/tool", TOOL)) == entry
        assert cache.find(artifact("https://mirror.example/tool")) is None

    def test_other_places_are_another_file(self, cache: Cache, server: Server) -> None:
        wanted = artifact(server.put("tool", TOOL), TOOL)
        cache.ensure(wanted)
        assert cache.find(replace(wanted, members={"": "opt/tool"})) is None
        assert cache.find(replace(wanted, mode=0o700)) is None

    def test_a_lost_or_cut_file_is_made_anew(self, cache: Cache, server: Server) -> None:
        wanted = artifact(server.put("tool", TOOL), TOOL)
        entry = cache.ensure(wanted)
        entry.path.write_bytes(entry.path.read_bytes()[:-1])
        assert cache.find(wanted) is None
        again = cache.ensure(wanted)
        assert (again.path, again.sha256) == (entry.path, entry.sha256)
        again.path.unlink()
        assert cache.entries() == []
        assert cache.ensure(wanted).sha256 == entry.sha256


class TestAdd:
    def test_a_file_that_somebody_has(self, cache: Cache, tmp_path: Path) -> None:
        archive = files({"bin/tool": TOOL})
        (tmp_path / "mine.tgz").write_bytes(archive)
        url = "https://example.invalid/t.tgz"
        wanted = artifact(url, archive, format="tar.gz", members={"bin/*": "usr/bin/"})
        entry = cache.add(wanted, tmp_path / "mine.tgz", offline=True)
        assert (entry.source_url, entry.verified) == (url, True)
        assert cache.ensure(wanted, offline=True) == entry
        assert (tmp_path / "mine.tgz").read_bytes() == archive

    def test_another_file_is_refused(self, cache: Cache, tmp_path: Path) -> None:
        (tmp_path / "mine").write_bytes(b"evil")
        with pytest.raises(OhmykubeError) as caught:
            cache.add(artifact("https://example.invalid/tool", TOOL), tmp_path / "mine")
        assert caught.value.code == "cache.sum-mismatch"
        with pytest.raises(OhmykubeError) as caught:
            cache.add(artifact("https://example.invalid/tool"), tmp_path / "mine")
        assert caught.value.code == "cache.unverified"
        assert cache.entries() == []


class TestDisk:
    def test_a_source_that_is_not_there(self, cache: Cache, tmp_path: Path) -> None:
        assert refused(cache, artifact((tmp_path / "none").as_uri(), b"")).code == "cache.no-file"
        assert refused(cache, artifact(tmp_path.as_uri(), b"")).code == "cache.no-file"
        assert not cache.is_local(artifact((tmp_path / "none").as_uri(), b""))

    def test_a_file_where_the_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(OhmykubeError) as caught:
            Cache(tmp_path / "file" / "packages").ensure(artifact("https://x/y", b""), offline=True)
        assert caught.value.code == "disk.forbidden"
        assert "OHMYKUBE_HOME" in caught.value.hint

    def test_a_full_disk(self, server: Server, tmp_path: Path) -> None:
        cache = Cache(tmp_path / "cache")
        (tmp_path / "cache" / "work").mkdir(parents=True)
        wanted = artifact(server.put("tool", TOOL), TOOL)
        cache._file(wanted, cache_recipe(wanted), "new").symlink_to("/dev/full")
        with pytest.raises(OhmykubeError) as caught:
            cache.ensure(wanted)
        assert caught.value.code == "disk.full"
        assert cache.entries() == []
        assert cache.ensure(wanted).verified
