# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What an image archive holds: read from its own documents, and checked against the sums of its members.

Two layouts: OCI (`index.json`, content-addressed blobs) and docker-archive (`manifest.json`). Where both are there, as
`docker save` writes them, OCI counts, as it does for containerd.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import normal_reference, repository

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_DEPTH = 4  # an index in an index in … is nobody's honest archive

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Content:
    """A member, as it went by: its sum, whether it is compressed, and its text where it may be a document."""

    sha256: str
    compressed: bool = False
    text: bytes = b""


@dataclass(frozen=True)
class Described:
    """An image that the archive holds whole, for one architecture."""

    reference: str
    arch: str
    digest: str


def renamed(name: str, text: bytes, alias: str) -> bytes:
    """A document of an archive in which its images have all the names that they shall have.

    alias: a further name, in full, for the one image that is there; empty for none. In an OCI layout each image is
    named by its digest too: containerd makes an image of each name that it finds in `index.json`, and only by that one
    do `repo@sha256:…` and `repo:tag@sha256:…` lead to it where no registry can be asked.
    What makes no sense is left as it is, for the reader.
    """
    change = {"index.json": _renamed_oci, "manifest.json": _renamed_docker}.get(name)
    try:
        document = json.loads(text)
        return json.dumps(document).encode() if change and change(document, alias) else text
    except (KeyError, TypeError, AttributeError, ValueError, OhmykubeError):
        return text


def _renamed_oci(index: Any, alias: str) -> bool:
    named = [each for each in index["manifests"] if _reference(each.get("annotations") or {})]
    names = [(_reference(each["annotations"]), each) for each in named]
    if alias and len({each["digest"] for each in named}) == 1:
        names.append((alias, named[0]))
    names += [(f"{repository(name)}@{each['digest']}", each) for name, each in names]
    known = {name for name, _ in names[: len(named)]}
    new = {name: each for name, each in names if name not in known}
    index["manifests"] += [{**each, "annotations": {_NAMES[0]: name}} for name, each in new.items()]
    return bool(new)


def _renamed_docker(manifest: Any, alias: str) -> bool:
    if not alias or len(manifest) != 1 or alias in map(normal_reference, manifest[0]["RepoTags"]):
        return False
    manifest[0]["RepoTags"].append(alias)
    return True


class ImageArchive:
    """The members of one archive. name: for messages. links: names that are links to other members."""

    def __init__(self, name: str, contents: Mapping[str, Content], links: frozenset[str]) -> None:
        self._name = name
        self._contents = contents
        self._links = links

    def images(self) -> list[Described]:
        """At least one. Raises OhmykubeError `image.corrupt`, `image.unnamed` or `image.archive`."""
        self._check_blobs()
        try:
            found = list(self._oci()) if "index.json" in self._contents else []
            if not found and "manifest.json" in self._contents:
                found = list(self._docker())
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._corrupt(f"its documents make no sense ({type(error).__name__}: {error})") from error
        if found:
            return sorted(set(found), key=lambda image: (image.reference, image.arch))
        if "index.json" in self._contents or "manifest.json" in self._contents:
            raise OhmykubeError(
                "image.unnamed",
                f"{self._name} names no image that it holds whole.",
                hint="Save it by name and tag: `docker save NAME:TAG`, `ctr images export FILE NAME:TAG`.",
                context={"path": self._name},
            )
        raise OhmykubeError(
            "image.archive",
            f"{self._name} is no image archive: it has neither index.json nor manifest.json.",
            hint="Make one with `docker save`, `podman save`, `ctr images export` or `skopeo copy … oci-archive:…`.",
            context={"path": self._name},
        )

    def _oci(self) -> Iterator[Described]:
        for descriptor in self._document("index.json")["manifests"]:
            reference = _reference(descriptor.get("annotations") or {})
            if reference:
                for arch in self._architectures(descriptor, _DEPTH):
                    yield Described(reference, arch, descriptor["digest"])

    def _architectures(self, descriptor: Json, depth: int) -> Iterator[str]:
        """Of every image below a descriptor that is there; other platforms of an index may have been left out."""
        name = _blob(descriptor["digest"])
        if name not in self._contents or not depth:
            return
        manifest = self._document(name)
        for below in manifest.get("manifests") or []:
            yield from self._architectures(below, depth - 1)
        if "config" in manifest and _blob(manifest["config"]["digest"]) in self._contents:
            arch = self._document(_blob(manifest["config"]["digest"])).get("architecture")
            if arch and arch != "unknown":  # attestations lie among the images, for the platform unknown
                for layer in manifest["layers"]:
                    self._require(_blob(layer["digest"]))
                yield arch

    def _docker(self) -> Iterator[Described]:
        for entry in self._document("manifest.json"):
            config = self._document(entry["Config"])
            for layer, diff_id in zip(entry["Layers"], config["rootfs"]["diff_ids"], strict=True):
                self._require(layer)
                content = self._contents.get(layer)
                if content and not content.compressed and f"sha256:{content.sha256}" != diff_id:
                    raise self._corrupt(f"the layer {layer} has another sum than its image says")
            digest = f"sha256:{self._contents[entry['Config']].sha256}"
            for tag in entry.get("RepoTags") or []:
                yield Described(normal_reference(tag), config["architecture"], digest)

    def _check_blobs(self) -> None:
        for name, content in self._contents.items():
            if name.startswith("blobs/sha256/") and name.rsplit("/", 1)[-1] != content.sha256:
                raise self._corrupt(f"{name} has the sum {content.sha256}")

    def _require(self, name: str) -> None:
        if name not in self._contents and name not in self._links:
            raise self._corrupt(f"it lacks {name}")

    def _document(self, name: str) -> Any:
        content = self._contents.get(name)
        if content is None:
            raise self._corrupt(f"it lacks {name}")
        return json.loads(content.text)

    def _corrupt(self, why: str) -> OhmykubeError:
        return OhmykubeError(
            "image.corrupt",
            f"{self._name} is not intact: {why}.",
            hint="Save or download the image again.",
            context={"path": self._name},
        )


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _reference(annotations: Json) -> str:
    """The full name; empty where there is none, or only a tag, which says nothing without a name."""
    for key in _NAMES:
        name = annotations.get(key, "")
        if "/" in name or ":" in name:
            return normal_reference(name)
    return ""
