# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Plain bytes out of compressed ones, block by block, in bounded memory whatever the input claims."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, cast

import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

BLOCK = 1 << 20  # bytes of plain data held at a time
_CHUNK = 1 << 18  # bytes read at a time: what inflates to a few blocks
_XZ_MEMORY = 1 << 28  # bytes; `xz -9` needs 65 MiB
_ZSTD_WINDOW = 1 << 27  # bytes; what the zstd command allows without being told


class HashedFile:
    """A file whose sums are known once all of it was read: its sha256, and that of a further algorithm of hashlib's."""

    def __init__(self, file: BinaryIO, further: str = "sha256") -> None:
        self.file = file
        self._sums = {name: hashlib.new(name) for name in {"sha256", further}}

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        for each in self._sums.values():
            each.update(data)
        return data

    def sha256(self) -> str:
        """Reads what is left, and answers for the whole file."""
        return self.digest("sha256")

    def digest(self, algorithm: str) -> str:
        """As `sha256`, by one of its algorithms."""
        while self.read(BLOCK):
            pass
        return self._sums[algorithm].hexdigest()


class _Decompressor(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


def plain_blocks(source: HashedFile, format_: str, limit: int) -> Iterator[bytes]:
    """The decompressed content of `source`, at most `limit` bytes of it (OhmykubeError `archive.too-large`)."""
    total = 0
    for block in _READERS[format_](source):
        total += len(block)
        if total > limit:
            raise too_large(source.file.name, limit)
        yield block


def too_large(name: str, limit: int) -> OhmykubeError:
    """What claims, or turns out, to be more than anything that belongs on a node."""
    return OhmykubeError(
        "archive.too-large",
        f"{name} unpacks to more than {limit} bytes, or to very many files.",
        hint="Nothing that belongs on a node is that large; check where the file comes from.",
        context={"path": name},
    )


def _chunks(source: HashedFile) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk


def _gunzip(source: HashedFile) -> Iterator[bytes]:
    """Members after each other are one stream, as gzip and pigz write them; zero padding at the end is usual."""
    inflate = None
    for chunk in _chunks(source):
        rest, full = chunk, False
        while rest or full:
            if inflate is None:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                inflate = zlib.decompressobj(wbits=31)
            block = inflate.decompress(rest, BLOCK)
            if block:
                yield block
            rest, full = inflate.unconsumed_tail, len(block) == BLOCK
            if inflate.eof:
                rest, full, inflate = inflate.unused_data, False, None
    if inflate is not None:
        raise EOFError("the compressed data ends early")


def _unpack(source: HashedFile, make: Callable[[], _Decompressor]) -> Iterator[bytes]:
    decompressor = None
    for chunk in _chunks(source):
        rest = chunk
        while rest or (decompressor and not decompressor.needs_input):
            if decompressor is None:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                decompressor = make()
            block = decompressor.decompress(rest, BLOCK)
            if block:
                yield block
            rest = b""
            if decompressor.eof:
                rest, decompressor = decompressor.unused_data, None
    if decompressor is not None:
        raise EOFError("the compressed data ends early")


def _unzstd(source: HashedFile) -> Iterator[bytes]:
    """A stream cut short ends silently here; the tar inside then lacks its end, which its reader sees."""
    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(
        cast(BinaryIO, source), read_size=_CHUNK, read_across_frames=True, closefd=False
    )
    while block := reader.read(BLOCK):
        yield block


_READERS: dict[str, Callable[[HashedFile], Iterator[bytes]]] = {
    "raw": _chunks,
    "tar": _chunks,
    "tar.gz": _gunzip,
    "tar.bz2": lambda source: _unpack(source, bz2.BZ2Decompressor),
    "tar.xz": lambda source: _unpack(source, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY)),
    "tar.zst": _unzstd,
}
