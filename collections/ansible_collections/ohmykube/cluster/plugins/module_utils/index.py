# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The index of a cache folder: one JSON file, changed under a lock and replaced in one step.

A row has at least `file` (a name in the folder), `sha256` and `size` (bytes) of it. Keys that this version does not
know are kept: a later one may have added them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import mark_used
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked

FORMAT = 1  # raise it only when an older version would misread the file: a new key with a default is no new format
_WAIT = 60.0  # seconds; holders only rewrite a small file

Row = dict[str, Any]


class Index:
    """Rows of a cache, kept in `<root>/index.json`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / "index.json"

    def rows(self) -> list[Row]:
        """All rows; none where there is no index yet.

        Raises OhmykubeError `cache.newer` for the index of a newer version, `cache.index` for a damaged one.
        """
        try:
            document = json.loads(self._path.read_bytes())
            written_by = document["format"]
            if isinstance(written_by, int) and written_by > FORMAT:
                raise self._newer(written_by)
            return _checked(document)
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            raise OhmykubeError(
                "cache.index",
                f"The cache index {self._path} is damaged.",
                hint=f"Remove {self._path}: what it lists is then fetched again.",
                context={"path": self._path},
            ) from error

    @contextmanager
    def changing(self) -> Iterator[list[Row]]:
        """The rows to change in place; they are written at the end, unless that end is an error.

        A file comes into the folder within this, so that whoever holds the lock can tell what belongs to nobody.
        """
        with self.held():
            rows = self.rows()
            yield rows
            self._write(rows)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else changes the index meanwhile."""
        with locked(self._root / "lock", _WAIT):
            yield

    def claim(self, names: Collection[str]) -> bool:
        """Whether all these files stay, since they are in use from now on."""
        if not all(mark_used(self._root / name) for name in names):
            return False
        if self._lists(names):
            return True
        with self.held():  # whoever is at removing them has looked again by now, and may have let them stay
            return self._lists(names)

    def remove(self, names: Collection[str], unless: Callable[[Path], bool] = lambda _: False) -> list[str]:
        """Forget these files and remove them; the names of those that went. What no row names any more is not ours.

        unless: asked under the lock, for what may have happened since the caller looked. The index is written first: a
        kill in between leaves a file that belongs to nobody, never a row without its file. Who reads needs no lock, so
        it is asked again when that is written: what was claimed before stays.
        """
        with self.held():
            rows = self.rows()
            known = {row["file"] for row in rows}
            going = [name for name in names if name in known and not unless(self._root / name)]
            if going:
                self._write([row for row in rows if row["file"] not in going])
            gone = [name for name in going if not unless(self._root / name)]
            if gone != going:
                self._write([row for row in rows if row["file"] not in gone])
            for name in gone:
                (self._root / name).unlink(missing_ok=True)
        return gone

    def _lists(self, names: Collection[str]) -> bool:
        return {row["file"] for row in self.rows()}.issuperset(names)

    def _write(self, rows: list[Row]) -> None:
        # One name, since one process at a time writes: a killed one leaves no litter.
        new = self._root / "index.json.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "entries": rows}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _newer(self, written_by: int) -> OhmykubeError:
        return OhmykubeError(
            "cache.newer",
            f"The cache {self._root} was written by a newer ohmykube (format {written_by}, known: {FORMAT}).",
            hint="Update ohmykube, or set OHMYKUBE_HOME to a folder of its own.",
            context={"path": self._path},
        )


def _checked(document: Any) -> list[Row]:
    """Enough that no reader stumbles over what it takes for granted."""
    rows = document["entries"]
    if document["format"] != FORMAT or not isinstance(rows, list):
        raise ValueError("of no format that there ever was")
    for row in rows:
        kinds = {"file": str, "sha256": str, "size": int}
        if not all(isinstance(row[key], kind) for key, kind in kinds.items()) or Path(row["file"]).name != row["file"]:
            raise ValueError("a row without a file of this folder")
    return rows
