# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Brings an archive of `bundle` into the caches: all of it or nothing, whoever made it.

Everything is unpacked aside and verified before the caches see any of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.archive_reader import Member, members, readable
from ansible_collections.ohmykube.cluster.plugins.module_utils.bundle import FORMAT, MANIFEST, SUMS, Folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors, private_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index, Row
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked, remove

_DOCUMENT = 16 << 20  # bytes; a manifest of thousands of entries is smaller
_LIMIT = 1 << 42  # bytes of all files; every one of them is announced with its size
_WAIT = 600.0  # seconds for another import
_FILE = re.compile(r"[^/.\s][^/\n\0]*")
_LINE = re.compile(rf"([0-9a-f]{{64}})  ({_FILE.pattern}(?:/{_FILE.pattern})?)")
_SUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Brought:
    """What an import brought. folder, name: of the row. changed: whether the cache had it not yet, or otherwise."""

    folder: str
    row: Row
    changed: bool


def read(
    source: BinaryIO, name: str, folders: Sequence[Folder], on_step: Callable[[str], None], sha256: str = ""
) -> list[Brought]:
    """Bring what an archive holds into the caches, all of it or nothing. name: of the archive, for messages.

    sha256: what the archive's own sum must be; empty: whatever it is. Raises OhmykubeError `cache.import-refused`,
    `cache.import-newer`, `cache.locked` or `disk.*`; then nothing has changed.
    """
    by_name = {folder.name: folder for folder in folders}
    with ExitStack() as stack:
        staging = {folder.name: stack.enter_context(_staging(folder)) for folder in folders}
        with _refusing(name):
            rows = _unpack(HashedFile(source), by_name, staging, on_step, sha256)
        brought = []
        for folder in folders:
            brought += _publish(folder, staging[folder.name], rows[folder.name])
        return brought


@contextmanager
def _staging(folder: Folder) -> Iterator[Path]:
    """An empty folder beside the cache's files, for one import at a time. What a killed one left goes first."""
    with disk_errors(folder.root):
        work = folder.root / "work"
        private_folder(work)
        with locked(work / "import.lock", _WAIT):
            staging = work / "import.new"
            remove(staging)
            staging.mkdir(mode=0o700)
            try:
                yield staging
            finally:
                remove(staging)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """One error for everything that can be wrong with an archive."""
    try:
        with readable(name):
            yield
    except _Refused as error:
        raise _refusal(name, str(error)) from error
    except OhmykubeError as error:
        if not error.code.startswith("archive."):
            raise
        raise _refusal(name, error.message) from error


def _refusal(name: str, why: str) -> OhmykubeError:
    return OhmykubeError(
        "cache.import-refused",
        f"{name} is refused, and nothing of it was imported: {why.rstrip('.')}.",
        hint="Copy it again, or make it anew with `ohmykube cache export`; compare the sum that the export printed.",
        context={"path": name},
    )


class _Refused(Exception):
    """Why an archive is not taken."""


def _unpack(
    source: HashedFile,
    folders: Mapping[str, Folder],
    staging: Mapping[str, Path],
    on_step: Callable[[str], None],
    sha256: str,
) -> dict[str, list[Row]]:
    """Every file, verified, in its staging folder; the rows of each folder."""
    archive = members(source, "tar", _LIMIT)
    sums = _sums(_document(archive, SUMS))
    text = _document(archive, MANIFEST)
    if hashlib.sha256(text).hexdigest() != sums.pop(MANIFEST, ""):
        raise _Refused(f"{MANIFEST} has another sum than it should have")
    rows = _rows(json.loads(text), folders, sums)
    for member in archive:
        if member.link or member.name not in sums:
            raise _Refused(f"it holds {member.name!r}, which it does not announce, or twice")
        on_step(member.name.partition("/")[2])
        _stage(member, sums.pop(member.name), staging)
    if sums:
        raise _Refused(f"it lacks {', '.join(sorted(sums))}")
    if sha256 not in ("", source.sha256()):
        raise _Refused(f"its sha256 is {source.sha256()}, not {sha256}")
    for name, folder_rows in rows.items():
        for row in folder_rows:
            _check_content(staging[name] / row["file"], row)
    return rows


def _document(archive: Iterator[Member], name: str) -> bytes:
    member = next(archive, None)
    if member is None or member.name != name or member.link:
        raise _Refused("it is no export of a cache")
    if member.size > _DOCUMENT:
        raise _Refused(f"{name} is too large")
    return b"".join(map(bytes, member.blocks))


def _sums(text: bytes) -> dict[str, str]:
    lines = [_LINE.fullmatch(line) for line in text.decode().splitlines()]
    sums = {match[2]: match[1] for match in lines if match}
    if len(sums) != len(lines):
        raise _Refused(f"{SUMS} is damaged")
    return sums


def _rows(document: Any, folders: Mapping[str, Folder], sums: Mapping[str, str]) -> dict[str, list[Row]]:
    try:
        written_by, listed = document["format"], document["folders"]
        if isinstance(written_by, int) and written_by > FORMAT:
            raise OhmykubeError(
                "cache.import-newer",
                f"It was exported by a newer ohmykube (format {written_by}, known: {FORMAT}); nothing was imported.",
                hint="Update ohmykube on this computer.",
            )
        rows = {name: list(listed[name]) for name in folders}
        good = written_by == FORMAT and listed.keys() == folders.keys()
        good = good and all(_plausible(row, folders[name]) for name, each in rows.items() for row in each)
    except (TypeError, KeyError, AttributeError) as error:
        raise _Refused(f"{MANIFEST} makes no sense") from error
    announced = {f"{name}/{row['file']}": row["sha256"] for name, each in rows.items() for row in each} if good else {}
    if not good or announced != sums:
        raise _Refused(f"{MANIFEST} makes no sense")
    return rows


def _plausible(row: Row, folder: Folder) -> bool:
    """Whether a row is one that this cache could have written: it will be believed later."""
    texts = ("file", "sha256", *folder.identity, *folder.texts)
    return (
        all(isinstance(row[key], str) for key in texts)
        and isinstance(row["size"], int)
        and row["size"] >= 0
        and all(isinstance(name, str) for name in row.get("files", []))
        and isinstance(row.get("verified", False), bool)
        and isinstance(row.get("source_sha512", ""), str)
        and _FILE.fullmatch(row["file"]) is not None
        and _SUM.fullmatch(row["sha256"]) is not None
        and row["sha256"][:16] in row["file"]
    )


def _stage(member: Member, wanted: str, staging: Mapping[str, Path]) -> None:
    folder, _, name = member.name.partition("/")
    digest = hashlib.sha256()
    with (staging[folder] / name).open("xb") as file:
        for block in member.blocks:
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != wanted:
        raise _Refused(f"{member.name} has another sum than it should have")


def _check_content(path: Path, row: Row) -> None:
    """An archive for nodes holds what its row says and nothing that leaves its place, whoever made it."""
    if path.stat().st_size != row["size"]:
        raise _Refused(f"{path.name} has another size than it should have")
    if row.get("recipe") == "original":
        claimed = row.get("source_sha512", "")
        if row["sha256"] != row["source_sha256"] or row["files"] or (claimed and claimed != _sha512(path)):
            raise _Refused(f"{path.name} is not the original that it claims to be")
        return
    with path.open("rb") as file:
        names = [member.name for member in members(HashedFile(file), "tar.zst") if _drained(member)]
    if "files" in row and names != row["files"]:
        raise _Refused(f"{path.name} holds other files than it says")


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return HashedFile(file, "sha512").digest("sha512")


def _drained(member: Member) -> bool:
    for _block in member.blocks:
        pass
    return True


def _publish(folder: Folder, staging: Path, rows: Sequence[Row]) -> list[Brought]:
    """Into the cache, in one step for all who look at the index."""
    index = Index(folder.root)
    with disk_errors(folder.root), index.changing() as known:

        def identity(row: Row) -> tuple[Any, ...]:
            return tuple(row.get(key) for key in folder.identity)

        same = {(identity(row), row["sha256"]) for row in known if (folder.root / row["file"]).exists()}
        for name in {row["file"] for row in rows}:
            (staging / name).replace(folder.root / name)
        coming = {identity(row) for row in rows}
        known[:] = [row for row in known if identity(row) not in coming] + list(rows)
    return [Brought(folder.name, row, (identity(row), row["sha256"]) not in same) for row in rows]
