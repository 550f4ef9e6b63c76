# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What `distribute` shall bring to a node: from names, by way of the caches, to archives with sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all


@dataclass(frozen=True)
class Payload:
    """One archive on its way.

    kind: package or image. name: the component, or the references that are wanted of the archive. size: bytes.
    sha256: of the archive; empty, with a size of 0, where it is not in the cache yet (check mode).
    arch: of an image.
    """

    kind: str
    name: str
    version: str
    sha256: str
    size: int
    path: Path
    references: tuple[str, ...] = ()
    arch: str = ""

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.name} {self.version}".rstrip()

    def is_on(self, node: Mapping[str, Any]) -> bool:
        """node: what the receiver's probe answered."""
        if self.kind == "package":
            return self.sha256 != "" and node["packages"].get(self.name, {}).get("sha256") == self.sha256
        return all(node["images"].get(reference) == self.sha256 for reference in self.references)

    def label_on(self, node: Mapping[str, Any]) -> str:
        """What is there in its place; empty where nothing is, or not whole."""
        if self.kind == "package":
            there = node["packages"].get(self.name, {})
            return f"{self.name} {there['version']}" if there.get("sha256") else ""
        return self.label if self.is_on(node) else ""

    def manifest(self, remote_path: str = "") -> dict[str, Any]:
        """What the receiver is told. remote_path: the file on the node, where it does not come in the stream."""
        names = ("kind", "name", "version", "sha256", "size", "references", "arch")
        return {**{name: getattr(self, name) for name in names}, "path": remote_path}


class Archive(Protocol):
    """What both caches' entries have in common."""

    @property
    def path(self) -> Path: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...


class Image(Archive, Protocol):
    @property
    def reference(self) -> str: ...
    @property
    def arch(self) -> str: ...


class Catalogue(Protocol):
    def artifact(self, component: str, arch: str, version: str = "") -> Artifact: ...


class PackageCache(Protocol):
    def find(self, artifact: Artifact) -> Archive | None: ...

    def ensure_all(
        self, artifacts: Sequence[Artifact], *, offline: bool = False, allow_unverified: bool = False
    ) -> Sequence[Archive]: ...


class ImageCache(Protocol):
    def find(self, reference: str, arch: str) -> Image | None: ...

    def architectures(self, reference: str) -> Sequence[str]: ...


def package_artifacts(wanted: Iterable[Mapping[str, str]], arch: str, catalogue: Catalogue) -> list[Artifact]:
    """What is asked for, each component once. Raises OhmykubeError, or an ErrorGroup of all that is wrong."""
    artifacts: dict[str, Artifact] = {}
    errors: list[OhmykubeError] = []
    for each in wanted:
        try:
            artifact = catalogue.artifact(each["component"], arch, each["version"])
        except OhmykubeError as error:
            errors.append(error)
            continue
        other = artifacts.setdefault(artifact.component, artifact)
        if other.version != artifact.version:
            message = f"{artifact.component} is asked for in {other.version} and {artifact.version}"
            errors.append(OhmykubeError("distribute.two-versions", message, exit_code=2))
    raise_all(errors)
    return list(artifacts.values())


def package_payloads(
    artifacts: Sequence[Artifact], cache: PackageCache, *, offline: bool, allow_unverified: bool
) -> list[Payload]:
    """The archive of each; what the cache lacks is downloaded into it. Raises as `Cache.ensure_all`."""
    archives = cache.ensure_all(artifacts, offline=offline, allow_unverified=allow_unverified)
    return [_package(artifact, archive) for artifact, archive in zip(artifacts, archives, strict=True)]


def predicted_payloads(artifacts: Sequence[Artifact], cache: PackageCache) -> list[Payload]:
    """For check mode, which downloads nothing: what is not cached yet has no sum, so no node has it."""
    return [_package(artifact, cache.find(artifact)) for artifact in artifacts]


def _package(artifact: Artifact, archive: Archive | None) -> Payload:
    if archive is None:
        return Payload("package", artifact.component, artifact.version, "", 0, Path())
    return Payload("package", artifact.component, artifact.version, archive.sha256, archive.size, archive.path)


def image_payloads(
    references: Sequence[str], arch: str, cache: ImageCache, *, required: bool
) -> tuple[list[Payload], list[str]]:
    """The archives that bring these images, largest first, and the references that no archive has.

    Largest first: containerd takes one archive while the next is on its way, and only the last one is waited for.
    Raises OhmykubeError `image.missing` with all missing ones, when they are required.
    """
    archives: dict[str, list[Image]] = {}
    missing: list[str] = []
    for reference in dict.fromkeys(references):
        image = cache.find(reference, arch)
        if image is None:
            missing.append(reference)
        else:
            archives.setdefault(image.sha256, []).append(image)
    if missing and required:
        raise _missing(missing, arch, cache)
    payloads = [_image(images) for images in archives.values()]
    return sorted(payloads, key=lambda payload: payload.size, reverse=True), missing


def another_architecture(references: Sequence[str], arch: str, node: str) -> OhmykubeError:
    return OhmykubeError(
        "image.arch",
        f"the node is {node}, and {', '.join(references)} for {arch}",
        context={"images": " ".join(references), "arch": node},
    )


def _image(images: Sequence[Image]) -> Payload:
    references = tuple(sorted({image.reference for image in images}))
    first = images[0]
    return Payload("image", " ".join(references), "", first.sha256, first.size, first.path, references, first.arch)


def _missing(references: Sequence[str], arch: str, cache: ImageCache) -> OhmykubeError:
    """Whoever has an image for another architecture is told that, since it looks as if it were there."""
    others = {reference: cache.architectures(reference) for reference in references}
    words = [f"{name} (only for {', '.join(found)})" if found else name for name, found in others.items()]
    return OhmykubeError(
        "image.arch" if all(others.values()) else "image.missing",
        f"the image cache lacks {len(references)} image(s) for {arch}: {', '.join(words)}",
        hint=f"`ohmykube image pull --arch {arch} {' '.join(references)}`, or from archives: `ohmykube image add FILE`",
        context={"images": " ".join(references), "arch": arch},
    )
