# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The packages on this computer: fetched, verified and made ready for nodes, once for all clusters and processes.

A kill at any moment leaves a usable cache: files are written aside and renamed, the index follows last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.ohmykube.cluster.plugins.module_utils import archives
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache_entry import Entry, identity
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.checksums import algorithm
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import HashedFile
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors, private_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked, sweep
from ansible_collections.ohmykube.cluster.plugins.module_utils.original import (
    basename,
    compare,
    local_path,
    offline_error,
    opened,
    wanted_sum,
)

if TYPE_CHECKING:
    from ansible_collections.ohmykube.cluster.plugins.module_utils.download import Downloader

KEPT = "original"  # the recipe of what is kept as it came
_WAIT = 2 * 3600.0  # seconds for another process that fetches the same thing: longer than a download may take
_PARALLEL = 4  # downloads at once

Progress = Callable[[str, int, int], None]  # artifact, bytes so far, bytes in all (0: unknown)


class Cache:
    """The cache folder `root` (`$OHMYKUBE_HOME/cache/packages`), which need not exist yet."""

    def __init__(self, root: Path, downloader: Downloader | None = None) -> None:
        self._root = root
        self._work = root / "work"  # locks, unfinished downloads, files being written
        self._index = Index(root)
        self._downloader = downloader

    def entries(self) -> list[Entry]:
        """What is in the index and there."""
        entries = [Entry.of_row(row, self._root) for row in self._index.rows()]
        return [entry for entry in entries if entry and entry.is_there()]

    def find(self, artifact: Artifact) -> Entry | None:
        """The entry of an artifact; None where there is none, or one from another original than is pinned now."""
        return self._find(artifact, _recipe(artifact))

    def usable(self, artifact: Artifact, *, allow_unverified: bool = False) -> Entry | None:
        """The entry that `ensure` would give at once, if there is one."""
        return self._usable(artifact, _recipe(artifact), allow_unverified)

    def is_local(self, artifact: Artifact) -> bool:
        """Whether `ensure` needs no network for it: cached, or a `file:` URL whose file is there."""
        local = local_path(artifact.url)
        return self.find(artifact) is not None or (local is not None and local.is_file())

    def ensure(
        self,
        artifact: Artifact,
        *,
        offline: bool = False,
        allow_unverified: bool = False,
        progress: Progress | None = None,
    ) -> Entry:
        """The entry of an artifact, fetched where it is not there yet; one at a time for each artifact.

        Raises OhmykubeError: `cache.offline`, `cache.unverified`, `cache.sum-mismatch`, `cache.no-file`,
        `download.failed`, `archive.*`, `cache.locked`, `disk.*`.
        """
        return self._ensure(artifact, _recipe(artifact), offline, allow_unverified, progress)

    def ensure_all(
        self,
        artifacts: Sequence[Artifact],
        *,
        offline: bool = False,
        allow_unverified: bool = False,
        progress: Progress | None = None,
    ) -> list[Entry]:
        """`ensure` for several at once, in their order. All failures are raised together, so all are fixed together."""
        errors: list[OhmykubeError] = []

        def one(artifact: Artifact) -> Entry | None:
            try:
                return self.ensure(artifact, offline=offline, allow_unverified=allow_unverified, progress=progress)
            except OhmykubeError as error:
                errors.append(error)
                return None

        with ThreadPoolExecutor(_PARALLEL) as pool:
            entries = list(pool.map(one, artifacts))
        raise_all(sorted(errors, key=str))
        return [entry for entry in entries if entry]

    def raw(
        self,
        artifact: Artifact,
        *,
        offline: bool = False,
        allow_unverified: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """The verified original, for use on this computer: a manifest, a machine image, limactl. Raises as `ensure`."""
        return self._ensure(artifact, KEPT, offline, allow_unverified, progress).path

    def add(self, artifact: Artifact, file: Path, *, offline: bool = False, allow_unverified: bool = False) -> Entry:
        """The entry of an artifact from an original that somebody has. Raises as `ensure`."""
        recipe = _recipe(artifact)
        with self._making(artifact, recipe):
            wanted = wanted_sum(artifact, self._downloads, offline, allow_unverified)
            return self._take(artifact, recipe, wanted, file)

    def _find(self, artifact: Artifact, recipe: str) -> Entry | None:
        """Among several (two overlays, say) the one of the pinned original; where none is pinned, of the same URL."""
        wanted = (artifact.component, artifact.version, artifact.arch, recipe)
        for entry in reversed(self.entries()):
            if (entry.component, entry.version, entry.arch, entry.recipe) == wanted and entry.comes_of(artifact):
                return entry if self._index.claim([entry.path.name]) else None
        return None

    def _ensure(
        self, artifact: Artifact, recipe: str, offline: bool, allow_unverified: bool, progress: Progress | None
    ) -> Entry:
        with disk_errors(self._root):
            entry = self._usable(artifact, recipe, allow_unverified)
            if entry:
                return entry
            with self._making(artifact, recipe):
                with self._index.held():  # another process may have made it meanwhile, or not have removed it after all
                    entry = self._usable(artifact, recipe, allow_unverified)
                if entry:
                    return entry
                wanted = wanted_sum(artifact, self._downloads, offline, allow_unverified)
                return self._make(artifact, recipe, wanted, offline, progress)

    @contextmanager
    def _making(self, artifact: Artifact, recipe: str) -> Iterator[None]:
        """Nobody else makes the same; what killed processes left is away."""
        with disk_errors(self._root):
            private_folder(self._work)
            with locked(self._file(artifact, recipe, "lock"), _WAIT):
                sweep(self._work)
                yield

    def _usable(self, artifact: Artifact, recipe: str, allow_unverified: bool) -> Entry | None:
        """An entry taken without verification once serves only those who allow that too."""
        entry = self._find(artifact, recipe)
        return entry if entry and (entry.verified or artifact.pinned or allow_unverified) else None

    def _make(self, artifact: Artifact, recipe: str, wanted: str, offline: bool, progress: Progress | None) -> Entry:
        local = local_path(artifact.url)
        if local:
            return self._take(artifact, recipe, wanted, local)
        if offline:
            raise offline_error(artifact)
        part = self._file(artifact, recipe, "part")
        resumed = part.exists()
        told = (lambda done, total: progress(artifact.name, done, total)) if progress else None
        downloads = self._downloads()
        downloads.fetch(artifact.url, part, told, artifact.logins)
        try:
            entry = self._take(artifact, recipe, wanted, part)
        except OhmykubeError as error:
            downloads.discard(part)
            if resumed and error.code == "cache.sum-mismatch":  # what lay here may have been of another file
                return self._make(artifact, recipe, wanted, offline, progress)
            raise
        downloads.discard(part)
        return entry

    def _downloads(self) -> Downloader:
        """Imported when something is downloaded: ssl and what comes with it are 8 MB of memory."""
        if self._downloader is None:
            from ansible_collections.ohmykube.cluster.plugins.module_utils.download import Downloader

            self._downloader = Downloader()
        return self._downloader

    def _take(self, artifact: Artifact, recipe: str, wanted: str, original: Path) -> Entry:
        """Read the original once: its sum and the file for the cache come out together; no good sum, no entry."""
        new = self._file(artifact, recipe, "new")
        try:
            with opened(original, artifact) as file:
                kind = algorithm(wanted) if wanted else "sha256"
                source = HashedFile(file, kind)
                try:
                    written = _write(source, new, artifact, recipe)
                except OhmykubeError as error:
                    compare(artifact, wanted, source.digest(kind), error)
                    raise
                compare(artifact, wanted, source.digest(kind))
                found = source.sha256()
            return self._publish(artifact, recipe, new, written, found, wanted)
        finally:
            new.unlink(missing_ok=True)

    def _publish(
        self, artifact: Artifact, recipe: str, new: Path, written: archives.Written, source: str, wanted: str
    ) -> Entry:
        """source: the original's sha256. wanted: the sum that it was verified by, if any."""
        suffix = _suffix(artifact) if recipe == KEPT else ".tar.zst"
        name = f"{artifact.component}-{artifact.version}-{artifact.arch}-{written.sha256[:16]}{suffix}"
        entry = Entry(
            component=artifact.component,
            version=artifact.version,
            arch=artifact.arch,
            path=self._root / name,
            sha256=written.sha256,
            size=written.size,
            source_sha256=source,
            source_url=artifact.url,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            files=written.files,
            verified=bool(wanted),
            recipe=recipe,
            source_sha512=wanted if wanted and algorithm(wanted) == "sha512" else "",
        )
        row = entry.row()
        with self._index.changing() as rows:
            new.replace(entry.path)
            rows[:] = [other for other in rows if identity(other) != identity(row)] + [row]
        return entry

    def _file(self, artifact: Artifact, recipe: str, suffix: str) -> Path:
        """A working file of this artifact: one name for everybody who makes the same thing."""
        identity = _digest([artifact.url, artifact.pinned, recipe])
        return self._work / f"{artifact.component}-{artifact.version}-{artifact.arch}-{identity}.{suffix}"


def _write(source: HashedFile, new: Path, artifact: Artifact, recipe: str) -> archives.Written:
    if recipe == KEPT:
        return archives.copy(source, new)
    return archives.normalise(source, new, format_=artifact.format, places=artifact.members, mode=artifact.mode)


def _recipe(artifact: Artifact) -> str:
    """Changes with everything, besides the original, that the file depends on."""
    if not artifact.members:
        return KEPT
    return _digest([archives.FORMAT, artifact.format, sorted(artifact.members.items()), artifact.mode])


def _digest(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]


def _suffix(artifact: Artifact) -> str:
    return "." + artifact.format if artifact.format != "raw" else Path(basename(artifact.url)).suffix
