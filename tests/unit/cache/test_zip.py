"""Zip files: their directory lies at the end and says what it likes of names, links and how much there is."""

import struct
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import archive_reader
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmykube import COLLECTIONS
from tests.unit.cache.archives import files, read, unpacked
from tests.unit.cache.normalising import refused, run

LAST = struct.Struct("<4s4H2LH")  # the record that ends a zip: … entries, bytes of the directory, where it begins …
LAST_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64 = struct.Struct("<4sLQL")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "."])
def test_names(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, files({name: b"x"}, "zip"), "zip") == "archive.hostile"


@pytest.mark.parametrize(("mode", "target"), [(0o120777, b"/etc"), (0o120777, b"../x"), (0o020666, b"")])
def test_links_and_devices(tmp_path: Path, mode: int, target: bytes) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.external_attr = mode << 16
        archive.writestr(info, target)
    assert refused(tmp_path, buffer.getvalue(), "zip") == "archive.hostile"


def test_links_within(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("folder")
        archive.writestr("tool", b"x")
        info = zipfile.ZipInfo("alias")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, b"tool")
    assert unpacked(run(tmp_path, buffer.getvalue(), "zip")[0])["all/alias"].linkname == "tool"


def test_encrypted_and_exotic_zips(tmp_path: Path) -> None:
    content = bytearray(files({"a": b"1"}, "zip"))
    flags = content.index(b"PK\x01\x02") + 8
    content[flags] |= 1
    content[6] |= 1
    assert refused(tmp_path, bytes(content), "zip") == "archive.corrupt"


class TestDirectory:
    """What zipfile would take into memory at once is bounded, whatever the last record says."""

    @pytest.mark.parametrize("form", ["zip", "zip64"])
    def test_one_that_claims_gigabytes(self, tmp_path: Path, form: str) -> None:
        size = 3 << 30
        with (tmp_path / "source").open("wb") as file:
            file.write(b"PK\x01\x02")
            file.seek(size)  # a hole: the file takes no room
            if form == "zip64":
                file.write(LAST_64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, 0))
                file.write(LOCATOR_64.pack(b"PK\x06\x07", 0, size, 1))
                file.write(LAST.pack(b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0))
            else:
                file.write(LAST.pack(b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0))
        assert measured(tmp_path) == ("archive.too-large", "small")

    def test_one_that_lies_about_how_many(self, tmp_path: Path) -> None:
        entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 16)
        with (tmp_path / "source").open("wb") as file:
            for _ in range(70):
                file.write(entry * 10_000)
            file.write(LAST.pack(b"PK\x05\x06", 0, 0, 1, 1, file.tell(), 0, 0))
        assert measured(tmp_path) == ("archive.too-large", "small")

    @given(
        entries=st.integers(0, 0xFFFF),
        size=st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 400)),
        begins=st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0, 400)),
        comment=st.one_of(st.just(0), st.integers(0, 0xFFFF)),
    )
    @settings(max_examples=80)
    def test_any_last_record(
        self, tmp_path_factory: pytest.TempPathFactory, entries: int, size: int, begins: int, comment: int
    ) -> None:
        """Refused, or the content is that of the archive."""
        content = files({"a": b"1" * 100}, "zip")
        last = LAST.pack(b"PK\x05\x06", 0, 0, entries, entries, size, begins, comment)
        try:
            target, written = run(tmp_path_factory.mktemp("any"), content[: -LAST.size] + last, "zip")
        except OhmykubeError as error:
            assert error.code in ("archive.corrupt", "archive.too-large", "archive.member-missing")
        else:
            assert [read(target, name) for name in written.files] == [b"1" * 100]

    def test_as_many_as_are_allowed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive_reader, "_MEMBERS", 10)
        few = {f"f{number}": b"PK\x01\x02" for number in range(10)}
        assert len(run(tmp_path, files(few, "zip"), "zip")[1].files) == 10


_MEASURE = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from ansible_collections.ohmykube.cluster.plugins.module_utils import archive_reader, decompress
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open(sys.argv[1] + "/source", "rb") as file:
        list(archive_reader.members(decompress.HashedFile(file), "zip"))
except OhmykubeError as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def measured(folder: Path) -> tuple[str, str]:
    """Why it is refused, and whether that took little memory: 64 MiB at most."""
    command = [sys.executable, "-c", _MEASURE, str(folder), str(COLLECTIONS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    code, kilobytes = done.stdout.split()
    return code, "small" if int(kilobytes) < 64 << 10 else kilobytes
