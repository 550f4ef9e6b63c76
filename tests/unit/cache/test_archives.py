"""Normalising: round trips, the same bytes every time, bounded memory, and what is refused."""

import gzip
import os
import random
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils import archive_reader, archives
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmykube import COLLECTIONS
from tests.unit.cache.archives import COMPRESS, entry, files, link, plain, read, tar, unpacked
from tests.unit.cache.normalising import FORMATS, refused, run


class TestRoundTrip:
    @pytest.mark.parametrize("format_", FORMATS)
    def test_members_come_to_their_places(self, tmp_path: Path, format_: str) -> None:
        big = random.Random(1).randbytes(1_300_000)  # noqa: S311 (not a secret)
        content = files({"./bin/tool": big, "bin/other": b"", "README.md": b"no"}, format_)
        target, written = run(tmp_path, content, format_, {"bin/*": "usr/local/bin/"})
        assert written.files == ("usr/local/bin/tool", "usr/local/bin/other")
        assert read(target, "usr/local/bin/tool") == big
        assert read(target, "usr/local/bin/other") == b""
        for member in unpacked(target).values():
            assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", 0)
            assert member.mode == 0o755

    def test_raw_becomes_one_member(self, tmp_path: Path) -> None:
        target, written = run(tmp_path, b"\x7fELF", "raw", {"": "usr/local/bin/kubeadm"}, mode=0o755)
        assert written.files == ("usr/local/bin/kubeadm",)
        assert read(target, "usr/local/bin/kubeadm") == b"\x7fELF"

    def test_modes_are_two_unless_named(self, tmp_path: Path) -> None:
        content = gzip.compress(tar([entry("a", mode=0o4711), entry("b", mode=0o600), entry("c", mode=0o1666)]))
        target, _ = run(tmp_path, content)
        assert {name: member.mode for name, member in unpacked(target).items()} == {
            "all/a": 0o755,
            "all/b": 0o644,
            "all/c": 0o644,
        }
        target, _ = run(tmp_path, content, mode=0o700)
        assert {member.mode for member in unpacked(target).values()} == {0o700}

    def test_the_same_files_give_the_same_bytes(self, tmp_path: Path) -> None:
        sums = set()
        for owner, time in ((0, 1), (501, 1_800_000_000)):
            content = tar([entry("a", b"1", uid=owner, mtime=time), entry("b", b"2" * 3_000_000, mtime=time)])
            for format_, compress in COMPRESS.items():
                sums.add(run(tmp_path, compress(content), format_)[1].sha256)
        assert len(sums) == 1

    def test_the_number_of_cores_does_not_matter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        content = files({"a": random.Random(2).randbytes(5_000_000) + b"x" * 5_000_000}, "tar")  # noqa: S311
        sums = set()
        for workers in (1, 2, 8):
            monkeypatch.setattr(archives, "_WORKERS", workers)
            sums.add(run(tmp_path, content, "tar")[1].sha256)
        assert len(sums) == 1

    def test_links_stay_links(self, tmp_path: Path) -> None:
        content = gzip.compress(tar([entry("a/tool", b"x"), link("a/alias", "tool"), link("a/hard", "a/tool", b"1")]))
        target, _ = run(tmp_path, content, places={"a/*": "usr/bin/"})
        members = unpacked(target)
        assert members["usr/bin/alias"].issym()
        assert members["usr/bin/alias"].linkname == "tool"
        assert members["usr/bin/hard"].islnk()
        assert members["usr/bin/hard"].linkname == "usr/bin/tool"

    def test_archives_concatenate(self, tmp_path: Path) -> None:
        both = b""
        for name in ("one", "two"):
            both += run(tmp_path, files({name: name.encode()}))[0].read_bytes()
        (tmp_path / "both").write_bytes(both)
        with tarfile.open(fileobj=BytesIO(plain(tmp_path / "both")), ignore_zeros=True) as archive:
            assert archive.getnames() == ["all/one", "all/two"]

    def test_gzip_members_and_padding(self, tmp_path: Path) -> None:
        content = files({"a": b"1" * 5000}, "tar")
        split = gzip.compress(content[:700]) + gzip.compress(content[700:]) + b"\0" * 512
        assert run(tmp_path, split)[1].files == ("all/a",)

    def test_the_checksum_frame_is_there(self, tmp_path: Path) -> None:
        target, _ = run(tmp_path, files({"a": b"1"}))
        assert zstandard.get_frame_parameters(target.read_bytes()).has_checksum

    @given(
        contents=st.dictionaries(
            st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=150),
            st.binary(max_size=2000),
            min_size=1,
        )
    )
    @settings(max_examples=30)
    def test_any_files(self, tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]) -> None:
        target, written = run(tmp_path_factory.mktemp("any"), files(contents))
        assert written.files == tuple(f"all/{name}" for name in contents)
        assert {name: read(target, f"all/{name}") for name in contents} == contents


class TestPatterns:
    def test_first_match_wins_and_stars_stay_in_a_folder(self, tmp_path: Path) -> None:
        content = files({"x/tool": b"1", "x/y/tool": b"2", "x/LICENSE": b"3"})
        _, written = run(tmp_path, content, places={"*/tool": "opt/renamed", "x/y/*": "opt/"})
        assert written.files == ("opt/renamed", "opt/tool")

    def test_a_pattern_that_finds_nothing(self, tmp_path: Path) -> None:
        places = {"bin/*": "usr/bin/", "sbin/*": "usr/sbin/"}
        assert refused(tmp_path, files({"bin/a": b""}), places=places) == "archive.member-missing"

    def test_two_members_for_one_place(self, tmp_path: Path) -> None:
        places = {"*/tool": "usr/bin/"}
        assert refused(tmp_path, files({"a/tool": b"1", "b/tool": b"2"}), places=places) == "archive.hostile"


HOSTILE = {
    "climbs": [entry("a/../../etc/passwd", b"x")],
    "climbs, though unwanted": [entry("a", b"x"), entry("deep/er/../../../x")],
    "has no name": [entry("a", b"x"), entry(".", b"x")],
    "is absolute": [entry("/etc/passwd", b"x")],
    "absolute link": [link("a", "/etc")],
    "link leads out": [link("a", "../../etc")],
    "link leads out later": [link("d/a", "x/../../../etc")],
    "hard link leads out": [link("a", "../etc/passwd", tarfile.LNKTYPE)],
    "hard link to what is not there": [link("a", "etc/passwd", tarfile.LNKTYPE)],
    "hard link to a link": [link("a", "b"), link("c", "a", tarfile.LNKTYPE)],
    "device": [entry("a", type=tarfile.BLKTYPE)],
    "character device": [entry("a", type=tarfile.CHRTYPE)],
    "pipe": [entry("a", type=tarfile.FIFOTYPE)],
    "twice": [entry("a", b"1"), entry("a", b"2")],
    "not UTF-8": [entry("a\udcff", b"1")],
}


class TestHostile:
    @pytest.mark.parametrize("what", HOSTILE)
    def test_refused(self, tmp_path: Path, what: str) -> None:
        content = tar(HOSTILE[what], tarfile.GNU_FORMAT)
        assert refused(tmp_path, content, "tar") == "archive.hostile"

    def test_nothing_is_written_through_a_link(self, tmp_path: Path) -> None:
        through = {"d": "d", "d/*": "d/"}
        assert refused(tmp_path, tar([link("d", "."), entry("d/x", b"")]), "tar", through) == "archive.hostile"
        assert refused(tmp_path, tar([entry("d/x", b""), link("d", ".")]), "tar", through) == "archive.hostile"

    def test_a_link_that_leads_out_at_its_new_place(self, tmp_path: Path) -> None:
        content = tar([link("a/b/c/x", "../../y")])
        assert refused(tmp_path, content, "tar", {"a/b/c/x": "x"}) == "archive.hostile"

    @pytest.mark.parametrize("format_", ["tar.gz", "tar.zst", "tar.bz2", "tar.xz", "zip"])
    def test_bombs(self, tmp_path: Path, format_: str) -> None:
        bomb = files({"a": bytes(20_000_000)}, format_)
        assert len(bomb) < 100_000
        assert refused(tmp_path, bomb, format_, limit=10_000_000) == "archive.too-large"

    def test_very_many_members(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive_reader, "_MEMBERS", 10)
        many = {f"f{number}": b"" for number in range(11)}
        for format_ in ("tar", "zip"):
            assert refused(tmp_path, files(many, format_), format_) == "archive.too-large"

    def test_a_header_as_long_as_memory(self, tmp_path: Path) -> None:
        info, content = entry("a", bytes(3 << 20), type=tarfile.GNUTYPE_LONGNAME)
        assert refused(tmp_path, tar([(info, content), entry("b")], tarfile.GNU_FORMAT), "tar") == "archive.corrupt"

    def test_a_negative_size(self, tmp_path: Path) -> None:
        info, _ = entry("a")
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        block[124:136] = b"\xff" * 12
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block[:512])
        assert refused(tmp_path, bytes(block) + bytes(1024), "tar").startswith("archive.")


class TestDamage:
    """No bit may flip and no byte be missing without it being said; plain tar alone relies on the outer sum."""

    @pytest.mark.parametrize("format_", FORMATS)
    def test_cut_short(self, tmp_path: Path, format_: str) -> None:
        content = files({"a": random.Random(3).randbytes(20_000), "b": b"2" * 600}, format_)  # noqa: S311
        ends = content.rstrip(b"\0") if format_ == "tar" else content
        for length in {0, 1, 100, 512, 1024, len(ends) // 2, len(ends) - 600, len(ends) - 9}:
            assert refused(tmp_path, content[:length], format_) == "archive.corrupt", length

    @pytest.mark.parametrize("format_", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip"])
    def test_flipped_bits(self, tmp_path: Path, format_: str) -> None:
        """Either it is refused, or the content is unharmed (a flip in a header that nobody reads)."""
        if format_ == "tar.zst":
            content = zstandard.ZstdCompressor(write_checksum=True).compress(files({"a": b"text " * 500}, "tar"))
        else:
            content = files({"a": b"text " * 500}, format_)
        choose = random.Random(4)  # noqa: S311
        refusals = 0
        for _ in range(100):
            bit = choose.randrange(len(content) * 8)
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            try:
                target, written = run(tmp_path, bytes(damaged), format_)
            except OhmykubeError as error:
                refusals += 1
                assert error.code.startswith("archive.")
            else:
                assert [read(target, name) for name in written.files] == [b"text " * 500]
        assert refusals > 50

    def test_a_damaged_header_is_not_the_end(self, tmp_path: Path) -> None:
        content = bytearray(files({"a": b"1", "b": b"2"}, "tar"))
        content[1024 + 5] ^= 1
        assert refused(tmp_path, bytes(content), "tar") == "archive.corrupt"

    @pytest.mark.parametrize("format_", FORMATS)
    @given(noise=st.binary(max_size=3000))
    @settings(max_examples=25)
    def test_noise(self, tmp_path_factory: pytest.TempPathFactory, format_: str, noise: bytes) -> None:
        assert refused(tmp_path_factory.mktemp("noise"), noise, format_) == "archive.corrupt"

    def test_a_raw_file_that_grows_meanwhile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        grown = os.stat_result((0o100644, 0, 0, 1, 0, 0, 3, 0, 0, 0))
        monkeypatch.setattr(archive_reader, "fstat", lambda _: grown)
        for content in (b"12", b"1234"):
            assert refused(tmp_path, content, "raw", {"": "x"}) == "archive.corrupt"


MEASURE = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ansible_collections.ohmykube.cluster.plugins.module_utils import archives, decompress
archives._WORKERS = 4
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[1] + "/source", "rb") as file:
    source = decompress.HashedFile(file)
    archives.normalise(source, Path(sys.argv[1], "target"), format_="tar.gz", places={"*": "opt/"})
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """128 MiB through less than 64 MiB."""
    block = random.Random(5).randbytes(1 << 20)  # noqa: S311
    with gzip.open(tmp_path / "source", "wb", compresslevel=1) as packed:
        info, _ = entry("big")
        info.size = 128 << 20
        packed.write(info.tobuf())
        for _ in range(128):
            packed.write(block)
        packed.write(bytes(1024))
    command = [sys.executable, "-c", MEASURE, str(tmp_path), str(COLLECTIONS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert int(done.stdout) < 64
