"""Images out of registries into the cache: as an OCI layout, whose digests are those of the registry.

What was downloaded lies below the cache's work folder until the image is in the cache, so that a pull that was ended
at any byte goes on from there. No blob is believed before its sum was compared.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors, private_folder
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import repository, stored_reference

from ohmykube.errors import OhmykubeError
from ohmykube.images.platforms import Document, Part, no_such_arch, senseless
from ohmykube.model.quantity import human_bytes

_WAIT = 1800.0  # seconds for another process that pulls
_TELL = 0.5  # seconds between two words on how far it is
_STREAMS = 4  # blobs of one image at a time
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'

Steps = Callable[[str], None]


class Repository(Protocol):
    """One repository of a registry; `ohmykube.images.registry` speaks to real ones."""

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """Of a tag or digest: the document, and its media type."""
        ...

    def blob(self, digest: str, size: int, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Download to `part`, going on with what is there of it."""
        ...


@dataclass
class Pulled:
    """What came of a pull. images: with whether each is new. errors: of those that could not be had."""

    images: list[tuple[Image, bool]] = field(default_factory=list)
    errors: list[OhmykubeError] = field(default_factory=list)


@dataclass(frozen=True)
class Puller:
    """root: the cache's folder (`$OHMYKUBE_HOME/cache/images`). connect: how a repository is reached."""

    root: Path
    connect: Callable[[str], Repository]
    offline: bool = False

    def pull(self, references: Sequence[str], arch: str, on_step: Steps) -> Pulled:
        """Bring each into the cache, unless it is there as its registry has it now; one that fails stops no other.

        A registry that cannot be reached is not asked for its other images: each would take its time to fail.
        Raises OhmykubeError `image.reference`, `cache.locked` or `disk.*`.
        """
        wanted = list(dict.fromkeys(map(stored_reference, references)))
        cache, pulled = ImageCache(self.root), Pulled()
        unreachable: dict[str, OhmykubeError] = {}
        work = self.root / "work" / "pull.parts"
        with disk_errors(self.root):
            private_folder(work)
            with locked(work.with_suffix(".lock"), _WAIT):
                for reference in wanted:
                    host = reference.partition("/")[0]
                    try:
                        pull = _Pull(reference, arch, cache, work, on_step, unreachable.get(host))
                        pulled.images.append(pull.run(self))
                    except OhmykubeError as error:
                        if error.code == "registry.unreachable":
                            unreachable[host] = error
                        pulled.errors.append(_of(reference, error))
                if not pulled.errors:
                    shutil.rmtree(work, ignore_errors=True)
        return pulled


@dataclass(frozen=True)
class _Pull:
    """One image. reference: as containerd will look it up. unreachable: why its registry need not be asked."""

    reference: str
    arch: str
    cache: ImageCache
    work: Path
    on_step: Steps
    unreachable: OhmykubeError | None

    def run(self, puller: Puller) -> tuple[Image, bool]:
        there = self.cache.find(self.reference, self.arch)
        if there and (puller.offline or there.by_digest):  # a digest cannot come to mean something else
            return there, False
        if puller.offline:
            raise OhmykubeError(
                "image.offline",
                f"{self.reference} is not in the cache, and nothing may be pulled.",
                hint="Leave out --offline, or bring an archive: `ohmykube image add FILE`.",
                context={"image": self.reference, "arch": self.arch},
            )
        if self.unreachable:
            raise self.unreachable
        self.on_step(self.reference)
        source = puller.connect(repository(self.reference))
        top = self._document(source, self._tag_or_digest())
        if there and there.digest == top.digest:
            return there, False
        return self._fetch(source, top), True

    def _tag_or_digest(self) -> str:
        _, at, digest = self.reference.partition("@")
        return digest if at else self.reference.rpartition(":")[2]

    def _document(self, source: Repository, wanted: str) -> Document:
        document = Document(*source.manifest(wanted))
        if wanted.startswith("sha256:") and document.digest != wanted:
            raise self._corrupt(wanted, document.digest)
        return document

    def _fetch(self, source: Repository, top: Document) -> Image:
        documents = [top]
        while documents[-1].is_index:  # an index may name an index
            if len(documents) > 3:
                raise senseless(self.reference, RecursionError("an index within an index"))
            documents.append(self._document(source, documents[-1].choose(self.arch, self.reference).digest))
        config, layers = documents[-1].parts(self.reference)
        blobs = [config, *(layer for layer in layers if layer != config)]
        self._blobs(source, blobs)
        self._check_architecture(self._stored(config))
        with self._layout(top, documents, blobs) as layout:
            try:
                self.cache.add(layout, pulled=True)
            except OhmykubeError:
                for blob in blobs:  # damaged since it was compared: it must not stay for the next time
                    self._stored(blob).unlink(missing_ok=True)
                raise
        image = self.cache.find(self.reference, self.arch)
        if image is None:
            raise senseless(self.reference, LookupError("the image has another name"))
        return image

    def _blobs(self, source: Repository, blobs: Sequence[Part]) -> None:
        """All of them, some at a time; the first error, or Ctrl-C, ends the others too."""
        total = sum(blob.size for blob in blobs)
        done, told, guard, stop = 0, 0.0, threading.Lock(), threading.Event()

        def count(size: int) -> None:
            nonlocal done, told
            if stop.is_set():
                raise _Stopped
            with guard:
                done += size
                if time.monotonic() - told > _TELL:
                    told = time.monotonic()
                    self.on_step(f"{self.reference}: {human_bytes(done)} of {human_bytes(total)}")

        def one(blob: Part) -> None:
            if stop.is_set():
                raise _Stopped
            try:
                self._blob(source, blob, count)
            except BaseException:
                stop.set()
                raise

        with ThreadPoolExecutor(max_workers=_STREAMS) as pool:
            try:
                futures = [pool.submit(one, blob) for blob in blobs]
                errors = [error for future in futures if (error := future.exception())]
            except BaseException:
                stop.set()
                raise
        for error in sorted(errors, key=lambda error: isinstance(error, _Stopped)):
            raise error

    def _blob(self, source: Repository, blob: Part, count: Callable[[int], None]) -> None:
        stored = self._stored(blob)
        if stored.exists():
            return
        part = stored.with_name(f"{stored.name}.part")
        for resumed in (part.exists(), False):
            source.blob(blob.digest, blob.size, part, count)
            found = _sum(part)
            if found == blob.digest:
                part.replace(stored)
                return
            part.unlink()  # what lay here may have been damaged by whatever ended the last pull
            if not resumed:
                raise self._corrupt(blob.digest, found)

    def _check_architecture(self, config: Path) -> None:
        try:
            arch = json.loads(config.read_bytes())["architecture"]
        except (ValueError, KeyError, TypeError) as error:
            raise senseless(self.reference, error) from error
        if arch != self.arch:
            raise no_such_arch(self.reference, self.arch, [str(arch)])

    @contextmanager
    def _layout(self, top: Document, documents: Sequence[Document], blobs: Sequence[Part]) -> Iterator[Path]:
        """The folder of an OCI layout with this image alone."""
        layout = self.work / "layout"
        shutil.rmtree(layout, ignore_errors=True)
        folder = layout / "blobs" / "sha256"
        folder.mkdir(parents=True)
        (layout / "oci-layout").write_bytes(_LAYOUT)
        named = {**top.descriptor(), "annotations": {"io.containerd.image.name": self.reference}}
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
        for document in documents:
            (folder / document.digest.removeprefix("sha256:")).write_bytes(document.body)
        for blob in blobs:
            os.link(self._stored(blob), folder / self._stored(blob).name)
        try:
            yield layout
        finally:
            shutil.rmtree(layout, ignore_errors=True)

    def _stored(self, blob: Part) -> Path:
        return self.work / blob.digest.removeprefix("sha256:")

    def _corrupt(self, wanted: str, found: str) -> OhmykubeError:
        return OhmykubeError(
            "image.corrupt",
            f"{self.reference}: the registry sent {found} for {wanted}.",
            hint="Try again; if it stays so, something between here and the registry changes what it sends.",
            context={"image": self.reference, "wanted": wanted, "found": found},
        )


class _Stopped(Exception):
    """Another blob of the image has failed."""


def _of(reference: str, error: OhmykubeError) -> OhmykubeError:
    """The error with the name that was asked for: the registry speaks of repositories and blobs."""
    context = {**error.context, "image": reference}
    return OhmykubeError(error.code, error.message, hint=error.hint, context=context, exit_code=error.exit_code)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{file_digest(file, 'sha256').hexdigest()}"
