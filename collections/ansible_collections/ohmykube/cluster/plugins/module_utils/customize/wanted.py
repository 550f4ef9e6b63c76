# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Files and folders as they are wanted on a node: from what its owner writes to paths, bytes, modes and numbers."""

from __future__ import annotations

import grp
import posixpath
import pwd
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.places import refusal
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.sources import Source
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

_FILE_MODE = 0o644
_FOLDER_MODE = 0o755


@dataclass(frozen=True)
class File:
    path: str
    data: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Folder:
    """mode, uid, gid: None for that of a new folder, and for whatever one has that is there.

    shared: it holds what is wanted, and one that is there is left as it is.
    """

    path: str
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    shared: bool = False


Item = File | Folder


def items(entries: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Folders before what is in them; of two for one path the later counts. source: what `Source.as_data` gave.

    Raises OhmykubeError `files.path`, `files.mode`, `files.owner`.
    """
    found: dict[str, Item] = {}
    for item in (item for entry in entries for item in _of(entry)):
        if words := refusal(item.path):
            raise OhmykubeError("files.path", f"{item.path} {words}")
        if not (isinstance(item, Folder) and item.shared and item.path in found):
            found[item.path] = item
    return sorted(found.values(), key=lambda item: (isinstance(item, File), item.path))


def _of(entry: Mapping[str, Any]) -> Iterator[Item]:
    path, mode = str(entry["path"]), _mode(entry)
    uid, gid = _number(entry, "owner"), _number(entry, "group")
    if entry["directory"]:
        yield Folder(path, mode, uid, gid)
    elif entry["content"] is not None:
        yield _file(path, entry["content"].encode(), mode, uid, gid)
    else:
        source = Source.from_data(entry["source"])
        for name in source.folders:
            yield Folder(_join(path, name), None if mode is None else _searchable(mode), uid, gid, shared=True)
        for name, (data, executable) in source.files.items():
            default = 0o755 if executable else _FILE_MODE
            yield _file(_join(path, name), data, default if mode is None else mode, uid, gid)


def _file(path: str, data: bytes, mode: int | None, uid: int | None, gid: int | None) -> File:
    return File(path, data, _FILE_MODE if mode is None else mode, uid or 0, gid or 0)


def new_folder(folder: Folder) -> tuple[int, int, int]:
    """Mode, uid and gid of one that has to be made."""
    return _FOLDER_MODE if folder.mode is None else folder.mode, folder.uid or 0, folder.gid or 0


def _join(path: str, name: str) -> str:
    return posixpath.join(path, name) if name else path


def _searchable(mode: int) -> int:
    """The mode of a folder for whose files this is the mode: who may read them may go in."""
    return mode | (mode & 0o444) >> 2


def _mode(entry: Mapping[str, Any]) -> int | None:
    if entry["mode"] is None:
        return None
    try:
        mode = int(entry["mode"], 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        hint = 'write it in quotes: mode: "0644"'
        raise OhmykubeError("files.mode", f"{entry['path']}: {entry['mode']} is no mode in octal digits", hint=hint)
    return mode


def _number(entry: Mapping[str, Any], key: str) -> int | None:
    """The uid or gid by name or number. Names are this machine's."""
    name = entry[key]
    if name is None or name.isdecimal():
        return None if name is None else int(name)
    try:
        return pwd.getpwnam(name).pw_uid if key == "owner" else grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise OhmykubeError(
            "files.owner",
            f"{entry['path']}: there is no {'user' if key == 'owner' else 'group'} {name!r} on this machine",
            hint="files come before all hooks: give the number of one that a hook will make",
        ) from error
