# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Reads archives that nobody vouches for: one member after the other, and refuses what could leave its place.

Refused: absolute names and `..`, links that lead out, devices and pipes, more bytes or members than a limit, an archive
that is cut short. Names come out relative and clean; folders are left out, since whoever unpacks makes them.
"""

from __future__ import annotations

import errno
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from os import fstat
from typing import BinaryIO, cast

import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import (
    BLOCK,
    HashedFile,
    plain_blocks,
    too_large,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

LIMIT = 16 << 30  # bytes, unpacked
_MEMBERS = 200_000
_HEADER = 1 << 20  # bytes; a longer extended header is an attack on memory
_DIRECTORY = 32 << 20  # bytes of a zip's directory, which zipfile holds in memory: 160 for each member
_ENTRY = b"PK\x01\x02"  # begins each entry of it
_END = b"\0" * tarfile.BLOCKSIZE

_MALFORMED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    zstandard.ZstdError,
    EOFError,
    UnicodeError,
    ValueError,
    NotImplementedError,  # a zip method nobody uses
)


@dataclass(frozen=True)
class Member:
    """A file or link. `blocks` is valid until the next member is asked for. A raw file's name is empty.

    link: where a link leads: for a symbolic one relative to its folder, for a hard one another member's name.
    """

    name: str
    size: int = 0
    executable: bool = False
    blocks: Iterable[bytes] = ()
    link: str = ""
    hard: bool = False


def members(source: HashedFile, format_: str, limit: int = LIMIT) -> Iterator[Member]:
    """The members in the archive's own order. Run it inside `readable`."""
    if format_ == "raw":
        size = fstat(source.file.fileno()).st_size
        yield Member("", size, blocks=plain_blocks(source, format_, limit))
    elif format_ == "zip":
        yield from _zip_members(source.file, limit)
        source.file.seek(0)  # a zip is read from its end; its sum still wants it from the start
    else:
        yield from _tar_members(source, format_, limit)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turns every way in which an archive can be malformed into OhmykubeError `archive.corrupt`."""
    try:
        yield
    except _MALFORMED as error:
        raise _corrupt(name, str(error)) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _corrupt(name, str(error)) from error  # bz2 says so of bad data, seek of a zip's bad offset
    except RuntimeError as error:  # zipfile says so of encrypted members
        raise _corrupt(name, str(error)) from error


def lead_out(name: str, link: str) -> bool:
    """Whether a symbolic link at `name` leads out of the archive's root."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
    return link.startswith("/") or target == ".." or target.startswith("../")


def _corrupt(name: str, why: str) -> OhmykubeError:
    return OhmykubeError(
        "archive.corrupt",
        f"{name} is not intact: {why}.",
        hint="Download or build it again.",
        context={"path": name},
    )


def _hostile(name: str, why: str) -> OhmykubeError:
    return OhmykubeError(
        "archive.hostile",
        f"{name} is refused: {why}.",
        hint="Such an archive could write outside its place; check where the file comes from.",
        context={"path": name},
    )


def _clean(archive: str, name: str) -> str:
    """`./a//b` is `a/b`; what is absolute, climbs, or cannot be written down is refused."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _hostile(archive, f"it holds {name!r}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise _hostile(archive, f"the name {name!r} is not UTF-8") from None
    return "/".join(parts)


class _Forward:
    """The file that tarfile reads: blocks in one direction, remembering the last header read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")
        self._position = 0
        self.last_header = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        while self._position < position:
            if not self.some(position - self._position):
                raise EOFError("it ends early")

    def read(self, size: int) -> bytes:
        if size > _HEADER:
            raise ValueError("a header is too long")
        data = b""
        while len(data) < size and (block := self.some(size - len(data))):
            data += block
        if size == tarfile.BLOCKSIZE:
            self.last_header = data
        return data

    def some(self, size: int) -> memoryview:
        """Between 1 and `size` bytes, without a copy; none at the end."""
        if not self._block:
            self._block = memoryview(next(self._blocks, b""))
        data, self._block = self._block[:size], self._block[size:]
        self._position += len(data)
        return data


def _tar_members(source: HashedFile, format_: str, limit: int) -> Iterator[Member]:
    archive = source.file.name
    blocks = plain_blocks(source, format_, limit)
    forward = _Forward(blocks)
    tar = tarfile.TarFile(fileobj=cast(BinaryIO, forward))
    count = 0
    while (info := tar.next()) is not None:
        vars(tar)["members"].clear()  # tarfile remembers every member; nobody asks
        count += 1
        if count > _MEMBERS:
            raise too_large(archive, limit)
        if info.size < 0:
            raise ValueError(f"{info.name!r} has a negative size")
        name = _clean(archive, info.name)
        if info.isdir():
            continue
        if not name:
            raise _hostile(archive, f"it holds {info.name!r}")
        if info.issym():
            if lead_out(name, info.linkname):
                raise _hostile(archive, f"the link {name!r} leads out, to {info.linkname!r}")
            yield Member(name, link=info.linkname)
        elif info.islnk():
            yield Member(name, link=_clean(archive, info.linkname), hard=True)
        elif info.isreg() and not info.issparse():
            yield Member(name, info.size, bool(info.mode & 0o111), _content(forward, info.size))
        else:
            raise _hostile(archive, f"{name!r} is no file, folder or link")
    if forward.last_header != _END:
        raise EOFError("it ends early, or a header is damaged")
    for _block in blocks:  # what follows must be intact too: compression formats keep their checksums at the end
        pass


def _content(forward: _Forward, size: int) -> Iterator[bytes]:
    while size:
        block = forward.some(min(size, BLOCK))
        if not block:
            raise EOFError("it ends early")
        size -= len(block)
        yield cast(bytes, block)


class _Directory:
    """The file that zipfile reads. It takes the whole directory at once and believes whatever length that claims.

    So what is bounded is what it really reads: the counts in a zip's last record may lie.
    """

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > _DIRECTORY:
            raise too_large(self._file.name, self._limit)
        data = self._file.read(min(size, _DIRECTORY) if size >= 0 else _DIRECTORY)
        if data.count(_ENTRY) > _MEMBERS:
            raise too_large(self._file.name, self._limit)
        return data


def _zip_members(file: BinaryIO, limit: int) -> Iterator[Member]:
    archive, total = file.name, 0
    with zipfile.ZipFile(cast(BinaryIO, _Directory(file, limit))) as packed:
        for info in packed.infolist():
            name, mode = _clean(archive, info.filename), info.external_attr >> 16
            total += info.file_size  # zipfile reads no more than this of a member
            if total > limit:
                raise too_large(archive, limit)
            if info.filename.endswith("/"):
                continue
            if not name:
                raise _hostile(archive, f"it holds {info.filename!r}")
            with packed.open(info) as opened:
                if stat.S_ISLNK(mode):
                    link = opened.read(_HEADER).decode()
                    if lead_out(name, link):
                        raise _hostile(archive, f"the link {name!r} leads out, to {link!r}")
                    yield Member(name, link=link)
                elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                    blocks = iter(lambda: opened.read(BLOCK), b"")
                    yield Member(name, info.file_size, bool(mode & 0o111), blocks)
                else:
                    raise _hostile(archive, f"{name!r} is no file, folder or link")
