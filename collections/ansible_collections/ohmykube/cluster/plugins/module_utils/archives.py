# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Makes a reproducible `.tar.zst` of anything: the same input gives the same bytes on every machine.

Files lie at their place below `/`, owned by root, with one of two modes and no time. Memory is bounded.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils.archive_reader import (
    LIMIT,
    Member,
    lead_out,
    members,
    readable,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import BLOCK, HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of collections.abc from Python 3.12

FORMAT = 1  # raise it when the same input gives other bytes: cached archives are then made anew

LEVEL = 3  # of zstd
_JOB = 1 << 21  # bytes per compression job; fixed, so the bytes do not depend on the number of cores
_WORKERS = min(4, os.cpu_count() or 1)  # never 0: that is another algorithm, with other bytes
_OPEN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Written:
    """A finished archive: its sum, its size in bytes, its files in order."""

    sha256: str
    size: int
    files: tuple[str, ...]


class _Sink(io.RawIOBase):
    """The file written to, with its sum and size so far."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, _OPEN, 0o600), "wb", buffering=0)
        self._sum = hashlib.sha256()
        self.size = 0

    def write(self, data: Buffer) -> int:
        self._sum.update(data)
        view = memoryview(data)
        size = len(view)
        self.size += size
        while view:
            view = view[self._file.write(view) :]
        return size

    def finish(self) -> str:
        """The sum, once all of it is on disk."""
        os.fsync(self._file.fileno())
        return self._sum.hexdigest()

    def close(self) -> None:
        self._file.close()


class TarZstWriter:
    """Writes one archive; `finish` makes it whole and syncs it. What an error leaves behind is waste."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, bool] = {}  # every place, and whether it is a link
        self._folders: set[str] = set()

    def __enter__(self) -> TarZstWriter:
        self._sink = _Sink(self._path)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL, threads=_WORKERS, job_size=_JOB, write_checksum=True
        )
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._zstd = compressor.stream_writer(cast(BinaryIO, self._sink), write_size=BLOCK, closefd=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._sink.close()

    def finish(self) -> Written:
        """Write the end."""
        self._zstd.write(b"\0" * (2 * tarfile.BLOCKSIZE))
        self._zstd.flush(zstandard.FLUSH_FRAME)
        return Written(self._sink.finish(), self._sink.size, tuple(self._places))

    def add(self, place: str, size: int, mode: int, blocks: Iterable[bytes]) -> None:
        """A file. Raises OhmykubeError `archive.corrupt` where `blocks` are not `size` bytes in all."""
        self._header(place, size=size, mode=mode)
        left = size
        for block in blocks:
            left -= len(block)
            if left < 0:
                break
            self._zstd.write(block)
        if left:
            raise EOFError(f"{place or 'the file'} has not the size it claims")
        self._zstd.write(b"\0" * (-size % tarfile.BLOCKSIZE))

    def add_link(self, place: str, target: str, *, hard: bool = False) -> None:
        """A symbolic link to the relative `target`, or a hard link to the place `target` that is there already."""
        if hard and self._places.get(target, True):
            raise _misplaced(place, f"links to {target!r}, which does not come before it")
        if not hard and lead_out(place, target):
            raise _misplaced(place, f"leads out, to {target!r}")
        self._header(place, kind=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, target=target, mode=0o777)

    def _header(self, place: str, *, size: int = 0, mode: int, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
        folders = _folders(place)
        if place in self._places or place in self._folders or any(folder in self._places for folder in folders):
            raise _misplaced(place, "is there twice, or below a file or link")
        self._places[place] = kind != tarfile.REGTYPE
        self._folders.update(folders)
        info = tarfile.TarInfo(place)
        info.size, info.mode, info.type, info.linkname = size, mode, kind, target
        self._zstd.write(info.tobuf(tarfile.PAX_FORMAT))


class Layout:
    """Where members go: pattern → place, the first that matches; `*` stays within a folder."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._unused = set(places)

    def place(self, name: str) -> str:
        """Empty where the member is not wanted."""
        for pattern, place in self._places.items():
            if _matches(name, pattern):
                self._unused.discard(pattern)
                return place + name.rsplit("/", 1)[-1] if place.endswith("/") else place
        return ""

    def check_used(self, archive: str) -> None:
        """Every pattern has found something, or the archive is not what the catalogue takes it for."""
        if self._unused:
            raise OhmykubeError(
                "archive.member-missing",
                f"{archive} has nothing that matches {', '.join(sorted(self._unused))}.",
                hint="Check `members` and `format` of its catalogue entry.",
                context={"path": archive},
            )


def normalise(
    source: HashedFile, target: Path, *, format_: str, places: Mapping[str, str], mode: int = 0, limit: int = LIMIT
) -> Written:
    """Write the wanted members of `source` to `target`. mode: of every file; 0: 0755 or 0644, as the archive has it.

    Whether the source is the right one its sum says; ask for it afterwards, also after an error.
    Raises OhmykubeError `archive.corrupt`, `archive.hostile`, `archive.too-large` or `archive.member-missing`.
    """
    layout, archive, placed = Layout(places), str(source.file.name), {}
    with readable(archive), TarZstWriter(target) as writer:
        for member in members(source, format_, limit):
            place = layout.place(member.name)
            if place:
                placed[member.name] = place
                _add(writer, member, place, mode, placed)
        layout.check_used(archive)
        return writer.finish()


def copy(source: HashedFile, target: Path) -> Written:
    """The original as it is, in one pass like `normalise`."""
    with closing(_Sink(target)) as sink:
        while block := source.read(BLOCK):
            sink.write(block)
        return Written(sink.finish(), sink.size, ())


def _add(writer: TarZstWriter, member: Member, place: str, mode: int, placed: Mapping[str, str]) -> None:
    if member.link:
        target = placed.get(member.link, member.link) if member.hard else member.link
        writer.add_link(place, target, hard=member.hard)
    else:
        writer.add(place, member.size, mode or (0o755 if member.executable else 0o644), member.blocks)


def _matches(name: str, pattern: str) -> bool:
    names, patterns = name.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(map(fnmatchcase, names, patterns))


def _folders(place: str) -> list[str]:
    parts = place.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _misplaced(place: str, why: str) -> OhmykubeError:
    return OhmykubeError(
        "archive.hostile",
        f"{place!r} {why}.",
        hint="Such an archive could write outside its place; check where it comes from.",
    )
