# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What images are added from: an archive in one file, or an OCI layout as a folder, which is what registries give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.archive_reader import Member, members
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import BLOCK, HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

MAGIC = {b"\x1f\x8b": "tar.gz", b"\x28\xb5\x2f\xfd": "tar.zst", b"BZh": "tar.bz2", b"\xfd7zXZ": "tar.xz"}


class Source(Protocol):
    """Read once: its members, and then its sum; `sha256` alone reads it without looking inside."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes; together with the sum it tells whether this was added before."""
        ...

    def members(self) -> Iterator[Member]: ...

    def sha256(self) -> str: ...


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Raises OhmykubeError `image.no-file`."""
    if (path / "index.json").is_file():
        yield _Folder(path)
        return
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise OhmykubeError(
            "image.no-file",
            f"The image archive {path} cannot be read: {error.strerror}.",
            hint="Name an archive, or a folder with an OCI layout.",
            context={"path": path},
        ) from error
    with file:
        yield _Archive(file)


class _Archive:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.name = str(file.name)
        self.size = file.seek(0, 2)
        self._read = self._from_the_start()

    def members(self) -> Iterator[Member]:
        self._read = self._from_the_start()
        head = self._file.read(8)
        self._file.seek(0)
        kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "tar")
        yield from members(self._read, kind)

    def sha256(self) -> str:
        return self._read.sha256()

    def _from_the_start(self) -> HashedFile:
        self._file.seek(0)
        return HashedFile(self._file)


class _Folder:
    """Links are no part of a layout, and what they lead to need not be the owner's to give: they are left out."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        self._folder = folder
        self.name = str(folder)
        self.size = sum(path.stat().st_size for path in self._files)
        self._sum = ""

    def members(self) -> Iterator[Member]:
        whole = hashlib.sha256()
        for path in self._files:
            with path.open("rb") as file:
                one = HashedFile(file)
                name = path.relative_to(self._folder).as_posix()
                yield Member(name, path.stat().st_size, blocks=iter(lambda one=one: one.read(BLOCK), b""))  # type: ignore[misc]
                whole.update(f"{name} {one.sha256()}\n".encode())
        self._sum = whole.hexdigest()

    def sha256(self) -> str:
        if not self._sum:
            for _member in self.members():
                pass
        return self._sum
