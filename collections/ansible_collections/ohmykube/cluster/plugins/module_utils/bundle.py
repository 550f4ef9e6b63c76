# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Cache folders as one archive for another computer, and back.

A plain tar, since what is in it is compressed: `SHA256SUMS`, `manifest.json` (format, and the rows of each folder's
index), then `<folder>/<file>`. `tar --extract` and `sha256sum --check SHA256SUMS` take it apart without us. The same
caches give the same bytes. It is read and written as a stream, in constant memory.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import BLOCK, HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index, Row

FORMAT = 1
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"


@dataclass(frozen=True)
class Folder:
    """A cache folder in an archive. name: there. texts: keys of a row that must be text.

    identity: the keys of which an index has each combination once; what is imported takes its place.
    """

    name: str
    root: Path
    identity: tuple[str, ...]
    texts: tuple[str, ...] = ()


def write(target: BinaryIO, folders: Sequence[Folder], on_step: Callable[[str], None]) -> tuple[list[Row], str]:
    """Write everything that the indexes name and that is there; the rows, and the archive's own sum.

    Raises OhmykubeError `cache.damaged` where a file has not the sum that it should have: what was written is waste.
    """
    rows = {folder.name: _present(folder) for folder in folders}
    manifest = json.dumps({"format": FORMAT, "folders": rows}, indent=1, sort_keys=True).encode()
    sums = {MANIFEST: hashlib.sha256(manifest).hexdigest()}
    sums |= {f"{name}/{row['file']}": row["sha256"] for name, listed in rows.items() for row in listed}
    sink = _Sink(target)
    sink.document(SUMS, "".join(f"{sums[name]}  {name}\n" for name in sums).encode())
    sink.document(MANIFEST, manifest)
    for folder in folders:
        for row in {row["file"]: row for row in rows[folder.name]}.values():
            on_step(row["file"])
            sink.file(f"{folder.name}/{row['file']}", folder.root / row["file"], row)
    return [row for listed in rows.values() for row in listed], sink.finish()


class _Sink:
    """The archive that is written."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._sum = hashlib.sha256()

    def document(self, name: str, content: bytes) -> None:
        self._header(name, len(content))
        self._write(content + bytes(-len(content) % tarfile.BLOCKSIZE))

    def file(self, name: str, path: Path, row: Row) -> None:
        self._header(name, row["size"])
        with disk_errors(path.parent), path.open("rb") as file:
            source, left = HashedFile(file), row["size"]
            while left and (block := source.read(min(BLOCK, left))):
                self._write(block)
                left -= len(block)
            if left or source.sha256() != row["sha256"]:
                raise OhmykubeError(
                    "cache.damaged",
                    f"{path} is not what the cache recorded.",
                    hint="`ohmykube cache verify` removes what is damaged; then fetch it again, and export again.",
                    context={"path": path},
                )
        self._write(bytes(-row["size"] % tarfile.BLOCKSIZE))

    def finish(self) -> str:
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        return self._sum.hexdigest()

    def _header(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size = size
        self._write(info.tobuf(tarfile.PAX_FORMAT))

    def _write(self, data: bytes) -> None:
        self._sum.update(data)
        self._target.write(data)


def _present(folder: Folder) -> list[Row]:
    """Claimed, so that nobody prunes them meanwhile."""
    index = Index(folder.root)
    with disk_errors(folder.root):
        there = [row for row in index.rows() if index.claim([row["file"]])]
    return sorted(there, key=lambda row: (row["file"], json.dumps(row, sort_keys=True)))
