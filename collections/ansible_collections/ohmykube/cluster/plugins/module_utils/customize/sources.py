# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Sources of files and scripts on the controller: read whole, since they are small, and told apart by their content."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

LARGEST = 1 << 20  # bytes of one file
_LARGEST_FOLDER = 8 << 20  # bytes of all files of a folder
_HINT = "bake large files into the machine's image, or push them as a package (role cache_distribute)"


@dataclass(frozen=True)
class Source:
    """files: content, and whether it is executable, by the path below the source; a file alone is at "".

    folders: below a folder, itself among them as "", outer ones first.
    """

    files: dict[str, tuple[bytes, bool]]
    folders: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        files = {name: [base64.b64encode(data).decode(), executable] for name, (data, executable) in self.files.items()}
        return {"files": files, "folders": list(self.folders)}

    @classmethod
    def from_data(cls, data: Any) -> Source:
        files = {name: (base64.b64decode(text), executable) for name, (text, executable) in data["files"].items()}
        return cls(files, tuple(data["folders"]))

    @property
    def sum(self) -> str:
        return _sum(json.dumps(self.as_data(), sort_keys=True).encode())


def read(path: Path) -> Source:
    """A file, or a folder with all that is in it. Links count as the files that they lead to.

    Raises OhmykubeError `source.missing`, `source.too-large`, `source.kind`, `source.unreadable`.
    """
    if not path.is_dir():
        return Source({"": _file(path)})
    files: dict[str, tuple[bytes, bool]] = {}
    folders = []
    for folder, names, leaves in os.walk(path):
        names.sort()
        place = Path(folder)
        folders.append("" if place == path else place.relative_to(path).as_posix())
        for link in (place / name for name in names if (place / name).is_symlink()):
            raise OhmykubeError("source.kind", f"{link} is a link to a folder, and only files are followed")
        for leaf in sorted(leaves):
            files[(place / leaf).relative_to(path).as_posix()] = _file(place / leaf)
            if sum(len(data) for data, _ in files.values()) > _LARGEST_FOLDER:
                raise OhmykubeError(
                    "source.too-large", f"{path} holds more than {_LARGEST_FOLDER >> 20} MiB", hint=_HINT
                )
    return Source(files, tuple(folders))


def read_script(path: Path) -> str:
    """The text of a script. Raises as `read` does, and OhmykubeError `source.no-text`."""
    try:
        return _file(path)[0].decode()
    except UnicodeDecodeError as error:
        hint = "place a program with `files`, and let the script call it"
        raise OhmykubeError("source.no-text", f"{path} is no text in UTF-8", hint=hint) from error


def script_sum(text: str) -> str:
    """By which a node tells whether a script has changed since it ran."""
    return _sum(text.encode())


def _file(path: Path) -> tuple[bytes, bool]:
    try:
        if not path.exists():
            raise OhmykubeError("source.missing", f"{path}: there is no such file")
        if not path.is_file():
            raise OhmykubeError("source.kind", f"{path} is no file")
        if path.stat().st_size > LARGEST:
            raise OhmykubeError("source.too-large", f"{path} is larger than {LARGEST >> 20} MiB", hint=_HINT)
        return path.read_bytes(), bool(path.stat().st_mode & 0o111)
    except OSError as error:
        raise OhmykubeError("source.unreadable", f"{path}: {error.strerror}") from error


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
