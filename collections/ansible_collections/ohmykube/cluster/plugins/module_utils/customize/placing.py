# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Somebody's files on a node: placed whole or not at all, and taken back so that the machine is as it was.

What was there before the first placing is kept in ORIGINALS, and which paths are ours in RECORD. Both are written
before the first change, so that a run that dies leaves nothing unknown.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import LARGEST
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.wanted import File, Folder, Item, new_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import HIDDEN, Change, sync_folder, write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

STATE = "/var/lib/ohmykube"
RECORD = f"{STATE}/files.json"
ORIGINALS = f"{STATE}/originals"
_LONGEST = 1 << 16  # bytes of a file that a diff shows


@dataclass(frozen=True)
class Record:
    """files: the name of the original of each in ORIGINALS, empty where there was none.

    folders: mode, uid and gid of each before it was changed, None of those that were made.
    """

    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[int] | None] = field(default_factory=dict)

    @classmethod
    def read(cls, host: Host) -> Record:
        text = host.read(RECORD)
        return cls(**json.loads(text)) if text else cls()

    def write(self, host: Host) -> None:
        text = json.dumps({"files": self.files, "folders": self.folders}, indent=1, sort_keys=True)
        write_atomic(host.path(RECORD), f"{text}\n".encode(), 0o600)


@dataclass(frozen=True)
class Plan:
    """originals: files that are kept before anything else. first, last: the record before and after the changes."""

    changes: list[Change]
    known: Record
    originals: tuple[str, ...]
    first: Record
    last: Record


def plan(host: Host, wanted: Sequence[Item]) -> Plan:
    """What makes the machine have these, and no other file of an earlier list. No items: all are taken back."""
    known = Record.read(host)
    paths = {item.path for item in wanted}
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    stale = {path: name for path, name in known.files.items() if path not in paths}
    changes = [change for path, name in stale.items() for change in _restore(host, path, name)]
    files, folders = dict(known.files), dict(known.folders)
    for parent in sorted(parents):
        if not host.path(parent).exists():
            folders.setdefault(parent, None)
    for item in wanted:
        before = _look(host, item.path)
        change = _place(host, item, before) if isinstance(item, File) else _make(host, item, before)
        if change is None:
            continue
        changes.append(change)
        if isinstance(item, File):
            files.setdefault(item.path, _name(item.path) if before else "")
        else:
            folders.setdefault(item.path, [*_facts(host.path(item.path).stat())] if before else None)
    gone = [path for path, facts in known.folders.items() if path not in paths and (facts or path not in parents)]
    changes += [
        change for path in sorted(gone, reverse=True) for change in _restore_folder(host, path, known.folders[path])
    ]
    return Plan(
        changes,
        known,
        tuple(path for path, name in files.items() if name and path not in known.files),
        Record(files, folders),
        Record(
            {path: name for path, name in files.items() if path in paths},
            {path: facts for path, facts in folders.items() if path not in gone},
        ),
    )


def apply(host: Host, wanted: Plan) -> None:
    if wanted.known == wanted.first == wanted.last == Record():
        return
    for path in wanted.originals:
        host.path(ORIGINALS).mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy(host.path(path), host.path(f"{ORIGINALS}/{_name(path)}"))
    if wanted.first != wanted.known:
        wanted.first.write(host)
    for change in wanted.changes:
        change.apply()
    if wanted.last == Record():
        host.path(RECORD).unlink(missing_ok=True)
    elif wanted.last != wanted.first:
        wanted.last.write(host)
    _forget_originals(host, wanted.last)


def _look(host: Host, path: str) -> os.stat_result | None:
    try:
        return host.path(path).lstat()
    except FileNotFoundError:
        return None


def _facts(seen: os.stat_result) -> tuple[int, int, int]:
    return stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid


def _place(host: Host, item: File, before: os.stat_result | None) -> Change | None:
    target, after = host.path(item.path), (item.mode, item.uid, item.gid)
    if before is None:
        shown = ""
    elif stat.S_ISLNK(before.st_mode):
        shown = f"-> {target.readlink()}\n"
    elif stat.S_ISREG(before.st_mode):
        old = target.read_bytes() if before.st_size <= LARGEST else None
        if (old, _facts(before)) == (item.data, after):
            return None
        shown = _shown(*_facts(before)) + _text(old, before.st_mode)
    else:
        raise _conflict(item.path, "something else is there, where a file is wanted")
    return Change(
        item.path,
        shown,
        _shown(*after) + _text(item.data, item.mode),
        lambda: write_atomic(target, item.data, item.mode, (item.uid, item.gid)),
    )


def _make(host: Host, item: Folder, before: os.stat_result | None) -> Change | None:
    """A link to a folder is as good as a folder."""
    target, new = host.path(item.path), new_folder(item)
    if before and not target.is_dir():
        raise _conflict(item.path, "a file is there, where a folder is wanted")
    if before is None:

        def make() -> None:
            target.mkdir(parents=True, exist_ok=True)
            _set(target, *new)

        return Change(f"{item.path}/", "", _shown(*new), make)
    there = _facts(target.stat())
    after = tuple(
        now if want is None else want for now, want in zip(there, (item.mode, item.uid, item.gid), strict=True)
    )
    if item.shared or there == after:
        return None
    return Change(f"{item.path}/", _shown(*there), _shown(*after), lambda: _set(target, *after))


def _restore(host: Host, path: str, name: str) -> list[Change]:
    target = host.path(path)
    if name:
        original = host.path(f"{ORIGINALS}/{name}")
        return [Change(f"{path} as it was before", "", "", lambda: _copy(original, target))]
    if _look(host, path) is None:
        return []
    return [Change(f"{path} removed", "", "", lambda: target.unlink(missing_ok=True))]


def _restore_folder(host: Host, path: str, facts: Sequence[int] | None) -> list[Change]:
    target = host.path(path)
    if not target.is_dir():
        return []
    if facts:
        return [Change(f"{path}/ as it was before", "", "", lambda: _set(target, *facts))]

    def remove() -> None:
        with suppress(OSError):  # somebody else's files are in it
            target.rmdir()

    return [Change(f"{path}/ removed if empty", "", "", remove)]


def _set(target: Path, mode: int, uid: int, gid: int) -> None:
    os.chown(target, uid, gid)
    target.chmod(mode)  # last: a change of the owner may clear bits


def _copy(source: Path, target: Path) -> None:
    """With mode, owner and times; a link as a link. Whole or not at all."""
    seen = source.lstat()
    target.parent.mkdir(parents=True, exist_ok=True)  # kubeadm's reset may have taken it away
    beside = target.with_name(f".{target.name}.ohmykube")
    beside.unlink(missing_ok=True)
    shutil.copy2(source, beside, follow_symlinks=False)
    os.chown(beside, seen.st_uid, seen.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(seen.st_mode):
        beside.chmod(stat.S_IMODE(seen.st_mode))
        with beside.open("rb") as file:
            os.fsync(file.fileno())
    beside.replace(target)
    sync_folder(target.parent)


def _forget_originals(host: Host, record: Record) -> None:
    """Those that nobody needs, and what held them once nothing is ours."""
    folder = host.path(ORIGINALS)
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name not in record.files.values():
                path.unlink()
    for empty in (folder, host.path(STATE)):
        with suppress(OSError):
            empty.rmdir()


def _name(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def _conflict(path: str, words: str) -> OhmykubeError:
    hint = "choose another path, or take it out of the list first and run once without it"
    return OhmykubeError("files.conflict", f"{path}: {words}", hint=hint)


def _shown(mode: int, uid: int, gid: int) -> str:
    return f"(mode {mode:04o}, owner {uid}:{gid})\n"


def _text(data: bytes | None, mode: int) -> str:
    """Nothing of what not everybody on the machine may read."""
    try:
        return data.decode() if data is not None and mode & 0o004 and len(data) <= _LONGEST else HIDDEN
    except UnicodeDecodeError:
        return HIDDEN
