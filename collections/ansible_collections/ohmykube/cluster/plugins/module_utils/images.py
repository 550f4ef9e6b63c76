# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The container images on this computer, as archives that containerd imports: one file a content, found by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.archive_reader import LIMIT, Member, readable
from ansible_collections.ohmykube.cluster.plugins.module_utils.archives import TarZstWriter, Written
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import too_large
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors, private_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.image_archive import (
    Content,
    Described,
    ImageArchive,
    renamed,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.image_sources import MAGIC, Source, opened
from ansible_collections.ohmykube.cluster.plugins.module_utils.index import Index, Row
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked, sweep
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import (
    normal_reference,
    repository,
    stored_reference,
)

_WAIT = 1800.0  # seconds for another process that adds the same archive
_DOCUMENT = 1 << 20  # bytes; manifests and configurations are smaller
_DOCUMENTS = 32 << 20  # bytes of documents in one archive


@dataclass(frozen=True)
class Image:
    """An image for one architecture. Several may share a file.

    reference: in full (`docker.io/library/busybox:latest`, `quay.io/me/app@sha256:…`).
    path: the `.tar.zst`; sha256, size (bytes): of that file.
    digest: of the manifest or index in an OCI archive; of the configuration in a docker-archive, which has no other.
    created: when it was added; ISO time, UTC.
    """

    reference: str
    arch: str
    path: Path
    sha256: str
    size: int
    digest: str
    created: str

    @property
    def repository(self) -> str:
        return repository(self.reference)

    @property
    def by_digest(self) -> bool:
        """Whether this name is the digest alone, and no tag."""
        return "@" in self.reference


class ImageCache:
    """The cache folder `root` (`$OHMYKUBE_HOME/cache/images`), which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._work = root / "work"
        self._index = Index(root)

    def entries(self) -> list[Image]:
        """What is in the index and there, by reference."""
        images = [self._image(row) for row in self._index.rows()]
        return sorted((image for image in images if _is_there(image)), key=lambda image: (image.reference, image.arch))

    def find(self, reference: str, arch: str) -> Image | None:
        """The image of that name, also by digest or by both. Raises OhmykubeError `image.reference`."""
        wanted = (stored_reference(reference), arch)
        found = next((image for image in self.entries() if (image.reference, image.arch) == wanted), None)
        return found if found and self._index.claim([found.path.name]) else None

    def architectures(self, reference: str) -> list[str]:
        """For which the image of that name is here."""
        wanted = stored_reference(reference)
        return [image.arch for image in self.entries() if image.reference == wanted]

    def add(self, archive: Path, alias: str = "", *, pulled: bool = False) -> list[Image]:
        """Add every image of an archive (OCI or docker, compressed or not) or of a folder with an OCI layout.

        A name that is there already moves to it. alias: a further name, where it holds one image. pulled: it is what a
        registry has, so somebody may mean it by its digest even after its tag has moved on.

        Raises OhmykubeError `image.*`, `archive.*`, `cache.locked` or `disk.*`; then nothing has changed.
        """
        with disk_errors(self._root):
            private_folder(self._work)
            work = self._work / hashlib.sha256(str(archive.absolute()).encode()).hexdigest()[:16]
            with locked(work.with_suffix(".lock"), _WAIT), opened(archive) as source:
                sweep(self._work)
                alias = normal_reference(alias) if alias else ""
                known = self._known(source, alias)
                if known and self._index.claim([image.path.name for image in known]):
                    return known
                return self._add(source, work.with_suffix(".new"), alias, pulled)

    def known(self, archive: Path) -> list[Image]:
        """The images of an archive that `add` would find unchanged; none where it would change something."""
        with disk_errors(self._root), opened(archive) as source:
            return self._known(source)

    def remove(self, references: Iterable[str]) -> list[Image]:
        """Remove the images of these names, for every architecture, and what no other name needs; all or none.

        Raises OhmykubeError `image.unknown` with all that are not there.
        """
        wanted = {stored_reference(reference) for reference in references}
        with disk_errors(self._root):
            private_folder(self._root)
            with self._index.changing() as rows:
                missing = sorted(wanted - {row["reference"] for row in rows})
                if missing:
                    raise _unknown(missing)
                gone = _with_their_digests([self._image(row) for row in rows], wanted)
                names = {(image.reference, image.arch) for image in gone}
                rows[:] = [row for row in rows if _identity(row) not in names]
            self._discard(image.path.name for image in gone)
        return gone

    def _known(self, source: Source, alias: str = "") -> list[Image]:
        """Reading an archive for its sum is much cheaper than adding it."""
        there = {image.path.name for image in self.entries()}
        rows = [row for row in self._index.rows() if row["source_size"] == source.size and row["file"] in there]
        if not rows:
            return []
        found = source.sha256()
        same = [row for row in rows if row["source_sha256"] == found]
        names = [row["reference"] for row in same]
        whole = same and len(same) == same[0]["source_images"] and alias in ("", *names)
        return [self._image(row) for row in same] if whole else []

    def _add(self, source: Source, new: Path, alias: str, pulled: bool) -> list[Image]:
        try:
            written, described = _rewrite(source, new, alias)
            name = f"{written.sha256}.tar.zst"
            common = {
                "file": name,
                "sha256": written.sha256,
                "size": written.size,
                "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "source_sha256": source.sha256(),
                "source_size": source.size,
                "source_images": len(described),  # fewer rows than this: another archive took a name over
                **({"pulled": True} if pulled else {}),
            }
            added: list[Row] = [
                {"reference": image.reference, "arch": image.arch, "digest": image.digest, **common}
                for image in described
            ]
            with self._index.changing() as rows:
                new.replace(self._root / name)
                replaced = [row for row in rows if _identity(row) in map(_identity, added)]
                rows[:] = [row for row in rows if row not in replaced] + added
                replaced += self._drop_loose(rows, replaced)
            self._discard(row["file"] for row in replaced)
        finally:
            new.unlink(missing_ok=True)
        return [self._image(row) for row in added]

    def _drop_loose(self, rows: list[Row], replaced: list[Row]) -> list[Row]:
        """Take from the rows the digests whose last tag was replaced: of what is built here, each build has another."""
        moved = {_content(self._image(row)) for row in replaced if "@" not in row["reference"]}
        moved -= {_content(self._image(row)) for row in rows if "@" not in row["reference"]}
        loose = [row for row in rows if "@" in row["reference"] and not row.get("pulled")]
        loose = [row for row in loose if _content(self._image(row)) in moved]
        rows[:] = [row for row in rows if row not in loose]
        return loose

    def _discard(self, names: Iterable[str]) -> None:
        """Remove the files of these that no row names. The index came first: a kill leaves at most a file too many."""
        with self._index.held():
            used = {row["file"] for row in self._index.rows()}
            for name in set(names) - used:
                (self._root / name).unlink(missing_ok=True)

    def _image(self, row: Row) -> Image:
        values = {key: row[key] for key in ("reference", "arch", "sha256", "size", "digest", "created")}
        return Image(path=self._root / row["file"], **values)


def _rewrite(source: Source, new: Path, alias: str) -> tuple[Written, list[Described]]:
    """One pass: the reproducible archive is written while its documents and sums are noted."""
    contents, links = {}, set()
    documents = 0
    with readable(source.name), TarZstWriter(new) as writer:
        for member in (_renamed(member, alias) for member in source.members()):
            if member.link:
                links.add(member.name)
                writer.add_link(member.name, member.link, hard=member.hard)
                continue
            watch = _Watch(member)
            writer.add(member.name, member.size, 0o644, watch)
            contents[member.name] = watch.content()
            documents += len(contents[member.name].text)
            if documents > _DOCUMENTS:
                raise too_large(source.name, LIMIT)
        described = ImageArchive(source.name, contents, frozenset(links)).images()
        return writer.finish(), described


def _renamed(member: Member, alias: str) -> Member:
    if member.name not in ("index.json", "manifest.json") or member.link or member.size > _DOCUMENT:
        return member
    text = renamed(member.name, b"".join(member.blocks), alias)
    return Member(member.name, len(text), blocks=(text,))


class _Watch:
    """A member's blocks, noted on their way."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._sum = hashlib.sha256()
        self._head = b""

    def __iter__(self) -> Iterator[bytes]:
        small = self._member.size <= _DOCUMENT
        for block in self._member.blocks:
            self._sum.update(block)
            if small or not self._head:
                self._head += bytes(block) if small else bytes(block[:8])
            yield block

    def content(self) -> Content:
        document = self._head[:1] in (b"{", b"[") and self._member.size <= _DOCUMENT
        compressed = self._head.startswith(tuple(MAGIC))
        return Content(self._sum.hexdigest(), compressed, self._head if document else b"")


def distinct(images: Iterable[Image]) -> list[Image]:
    """For people: without the names by digest of what has a tag too."""
    images = list(images)
    tagged = {(image.repository, image.digest, image.arch) for image in images if not image.by_digest}
    return [image for image in images if not (image.by_digest and _content(image) in tagged)]


def _with_their_digests(images: list[Image], wanted: set[str]) -> list[Image]:
    """Those of the wanted names, of all tags of a wanted digest, and the digests that lose their last tag by it."""
    digests = {_content(image) for image in images if image.by_digest and image.reference in wanted}
    gone = [image for image in images if image.reference in wanted or _content(image) in digests]
    left = {_content(image) for image in images if image not in gone and not image.by_digest}
    loose = {_content(image) for image in gone} - left
    return [image for image in images if image in gone or (image.by_digest and _content(image) in loose)]


def _content(image: Image) -> tuple[str, str, str]:
    return image.repository, image.digest, image.arch


def _unknown(references: list[str]) -> OhmykubeError:
    return OhmykubeError(
        "image.unknown",
        f"The image cache does not have {', '.join(references)}.",
        hint="`ohmykube image list` shows what it has.",
        context={"images": " ".join(references)},
    )


def _identity(row: Row) -> tuple[str, str]:
    return row["reference"], row["arch"]


def _is_there(image: Image) -> bool:
    try:
        return image.path.stat().st_size == image.size
    except OSError:
        return False
