# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Looks after cache folders, whatever they keep: are the files what the index says, and what may go.

Everything is done under the locks of those who fill the cache, so it may run beside them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index, Row
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked, remove

IN_USE = 3600.0  # seconds after its last use in which nothing is pruned: a cluster may be on its way up with it
_RESUME = 24 * 3600.0  # seconds for which half a download is worth something
_OWN = frozenset({"index.json", "index.json.new", "lock", "work"})
_DAY = 24 * 3600.0


@dataclass(frozen=True)
class Kept:
    """A file of a cache. kind: package, image, or file: what is kept as it came. name: for people.

    size: bytes, as the index says. used: when it was asked for last, seconds since the epoch; 0: it is not there.
    """

    kind: str
    name: str
    path: Path
    sha256: str
    size: int
    used: float
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Stray:
    """A file that no index names. kind: unfinished (work of a process that may go on with it) or unknown."""

    kind: str
    path: Path
    size: int


class Folder:
    """A cache folder, `packages` or `images`, which need not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._index = Index(root)
        self._work = root / "work"

    def files(self) -> list[Kept]:
        """What the index names, by name."""
        rows: dict[str, list[Row]] = {}
        with disk_errors(self.root):
            for row in self._index.rows():
                rows.setdefault(row["file"], []).append(row)
            return sorted((self._kept(name, same) for name, same in rows.items()), key=lambda kept: kept.name)

    def strays(self) -> list[Stray]:
        """What no index names. Somebody may be at work on it."""
        if not self.root.is_dir():
            return []
        with disk_errors(self.root):
            known = {row["file"] for row in self._index.rows()} | _OWN
            unknown = [path for path in self.root.iterdir() if path.name not in known and not path.is_dir()]
            work = [path for path in _listed(self._work) if path.suffix != ".lock"]
            return [
                *(Stray("unknown", path, _size(path)) for path in unknown),
                *(Stray("unfinished", path, _size(path)) for path in work),
            ]

    def inspect(self, kept: Kept) -> str:
        """Empty where the file has its sum; else what is wrong. Nothing is removed."""
        with disk_errors(self.root):
            return self._compare(kept)[0]

    def verify(self, kept: Kept) -> str:
        """The same; a file that is wrong is forgotten and removed, unless somebody has made it anew meanwhile."""
        with disk_errors(self.root):
            words, seen = self._compare(kept)

            def replaced(path: Path) -> bool:
                return path.exists() and (seen is None or not os.path.samestat(path.stat(), seen))

            if not words or not self._index.remove([kept.path.name], unless=replaced):
                return ""
        return words

    def prune(self, files: Iterable[Kept], now: float) -> list[Kept]:
        """Remove these files unless somebody has asked for them since; those that went."""
        named = {kept.path.name: kept for kept in files}
        if not named:
            return []
        with disk_errors(self.root):
            gone = self._index.remove(list(named), unless=lambda path: now - _used(path) < IN_USE)
        return [named[name] for name in gone]

    def clean(self, now: float) -> list[Stray]:
        """Remove what belongs to nobody: files without a row, and work that nobody goes on with."""
        if not self.root.is_dir():
            return []
        with disk_errors(self.root):
            unfinished = self._clean_work(now)
            with self._index.held():
                unknown = [stray for stray in self.strays() if stray.kind == "unknown"]
                for stray in unknown:
                    remove(stray.path)
        return [*unfinished, *unknown]

    def _compare(self, kept: Kept) -> tuple[str, os.stat_result | None]:
        """What is wrong with the file, and which one that was; None where there is none."""
        try:
            with kept.path.open("rb") as file:
                seen = os.fstat(file.fileno())
                if seen.st_size < kept.size:
                    return "it is cut short", seen
                same = seen.st_size == kept.size and HashedFile(file).sha256() == kept.sha256
                return "" if same else "its sum is wrong", seen
        except FileNotFoundError:
            return "it is not there", None

    def _clean_work(self, now: float) -> list[Stray]:
        """Locks too: whoever holds one may remove it. Whatever is beside a lock and begins with its name is its own."""
        gone, locks = [], _listed(self._work, "*.lock")
        for lock in locks:
            with suppress(OhmykubeError), locked(lock, 0):
                own = [path for path in _listed(self._work, f"{lock.stem}.*") if path != lock]
                dead = [path for path in own if path.suffix == ".new" or now - _used(path) > _RESUME]
                gone += [Stray("unfinished", path, _size(path)) for path in dead]
                for path in dead if len(dead) < len(own) else [*dead, lock]:
                    remove(path)
        for path in _listed(self._work):  # what has no lock
            owned = any(path.name.startswith(f"{lock.stem}.") for lock in locks)
            if not owned and now - _used(path) > _RESUME:
                gone.append(Stray("unfinished", path, _size(path)))
                remove(path)
        return gone

    def _kept(self, name: str, rows: Sequence[Row]) -> Kept:
        first, path = rows[0], self.root / name
        if "reference" in first:
            kind, label = "image", ", ".join(sorted(str(row["reference"]) for row in rows))
        else:
            kind = "package" if first.get("files") else "file"
            label = f"{first.get('component')} {first.get('version')} ({first.get('arch')})"
        return Kept(kind, label, path, first["sha256"], first["size"], _used(path), tuple(rows))


def verify(folders: Sequence[Folder], on_step: Callable[[str], None]) -> list[tuple[Kept, str]]:
    """Every file of these folders with what is wrong with it, several at once; on_step is told each name."""

    def one(folder: Folder, kept: Kept) -> str:
        on_step(kept.name)
        return folder.verify(kept)

    return [(kept, words) for _, kept, words in _each(folders, one)]


def inspect(folders: Sequence[Folder]) -> list[tuple[Folder, Kept, str]]:
    """The same, and the folder of each; nothing is removed."""
    return _each(folders, Folder.inspect)


def prune(
    folders: Sequence[Folder],
    *,
    keep_days: float | None = None,
    max_size: int | None = None,
    superfluous: Callable[[Row], bool] = lambda _: False,
) -> tuple[list[Kept], list[Stray], list[Kept]]:
    """Remove what belongs to nobody, and then what is asked for: the files, the strays, and what stayed in use.

    keep_days: remove what nobody asked for in so many days. max_size: then the longest unused, until all folders
    together have no more bytes. superfluous: what may go in any case; of a file with several names, all must be so.
    """
    now = time.time()
    strays = [stray for folder in folders for stray in folder.clean(now)]
    every = [(folder, kept) for folder in folders for kept in folder.files()]
    wanted = [
        (folder, kept)
        for folder, kept in every
        if (keep_days is not None and now - kept.used > keep_days * _DAY) or all(map(superfluous, kept.rows))
    ]
    if max_size is not None:
        total = sum(kept.size for _, kept in every) - sum(kept.size for _, kept in wanted)
        for folder, kept in sorted(every, key=lambda work: work[1].used):
            if total <= max_size:
                break
            if (folder, kept) not in wanted:
                wanted.append((folder, kept))
                total -= kept.size
    gone = [kept for folder in folders for kept in folder.prune([file for at, file in wanted if at is folder], now)]
    return gone, strays, [kept for _, kept in wanted if kept not in gone]


def _each(folders: Sequence[Folder], look: Callable[[Folder, Kept], str]) -> list[tuple[Folder, Kept, str]]:
    work = [(folder, kept) for folder in folders for kept in folder.files()]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [(*one, words) for one, words in zip(work, pool.map(lambda one: look(*one), work), strict=True)]


def _listed(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    """Bytes, with all that is in a folder."""
    try:
        inside = sum(_size(below) for below in path.iterdir()) if path.is_dir() and not path.is_symlink() else 0
        return path.lstat().st_size + inside
    except OSError:
        return 0
