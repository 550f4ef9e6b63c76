# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What the index of the package cache knows of a package."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Row

if TYPE_CHECKING:
    from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact

IDENTITY = ("component", "version", "arch", "recipe", "source_sha256")  # one entry of each: a newer one takes its place


@dataclass(frozen=True)
class Entry:
    """A cached package.

    path: the `.tar.zst`, or the original where nothing of it goes to nodes. sha256, size (bytes): of that file.
    source_sha256, source_url: of the original; source_sha512 where that is what it was verified by.
    created: ISO time, UTC. files: places below `/` on a node.
    verified: whether the original was compared with a pinned or published sum.
    recipe: how the original became the file; an entry of another recipe does not serve.
    """

    component: str
    version: str
    arch: str
    path: Path
    sha256: str
    size: int
    source_sha256: str
    source_url: str
    created: str
    files: tuple[str, ...]
    verified: bool = False  # what an index may lack, with the safe assumption
    recipe: str = ""
    source_sha512: str = ""

    @classmethod
    def of_row(cls, row: Row, root: Path) -> Entry | None:
        """As written by any version of ours; None for a row that lacks what serves anybody. root: of the cache."""
        needed = {field.name for field in fields(cls) if field.default is MISSING} - {"path"}
        if not row.keys() >= needed:
            return None
        known = {field.name: row[field.name] for field in fields(cls) if field.name in row}
        return cls(**{**known, "path": root / row["file"], "files": tuple(row["files"])})

    def row(self) -> Row:
        """For the index, without a path: the cache may be moved."""
        row: Row = {**asdict(self), "file": self.path.name}
        del row["path"]
        return row

    def comes_of(self, artifact: Artifact) -> bool:
        """Whether its original is the pinned one; where none is pinned, one of the same URL."""
        if artifact.sha512:
            return self.source_sha512 == artifact.sha512
        return self.source_sha256 == artifact.sha256 if artifact.sha256 else self.source_url == artifact.url

    def is_there(self) -> bool:
        try:
            return self.path.stat().st_size == self.size
        except OSError:
            return False


def identity(row: Row) -> tuple[object, ...]:
    return tuple(row.get(key) for key in IDENTITY)
