"""What a registry's documents say of an image: which one a machine runs, and what it consists of. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ohmykube.errors import OhmykubeError

_DIGEST = re.compile("sha256:[0-9a-f]{64}")  # it becomes a file's name
_VARIANTS = ("", "v8", "v1")  # the plainest first: it runs on every machine of the architecture

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """A blob: `sha256:…` and bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Document:
    """A manifest or an index of them, as the registry gave it."""

    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self._json().get("mediaType") or self.media_type, **self._part()}

    @property
    def is_index(self) -> bool:
        return isinstance(self._json().get("manifests"), list)

    def choose(self, arch: str, name: str) -> Part:
        """Of an index: the image for Linux on that architecture. Raises OhmykubeError `image.arch`."""
        try:
            found = [(entry.get("platform") or {}, entry) for entry in self._json()["manifests"]]
            linux = [(platform, entry) for platform, entry in found if platform.get("os") == "linux"]
            fitting = [(platform, entry) for platform, entry in linux if platform.get("architecture") == arch]
            if not fitting:
                raise no_such_arch(name, arch, [str(platform.get("architecture")) for platform, _ in linux])
            return _part(min(fitting, key=lambda pair: _rank(pair[0].get("variant", "")))[1])
        except (KeyError, TypeError, AttributeError) as error:
            raise senseless(name, error) from error

    def parts(self, name: str) -> tuple[Part, list[Part]]:
        """Of an image: its configuration and its layers. Raises OhmykubeError `image.corrupt`."""
        try:
            manifest = self._json()
            return _part(manifest["config"]), list(dict.fromkeys(map(_part, manifest["layers"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise senseless(name, error) from error

    def _part(self) -> dict[str, Any]:
        return {"digest": self.digest, "size": len(self.body)}

    def _json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise senseless(self.digest, error) from error
        if not isinstance(found, dict):
            raise senseless(self.digest, TypeError("no object"))
        return found


def senseless(name: str, error: Exception) -> OhmykubeError:
    return OhmykubeError(
        "image.corrupt",
        f"What the registry says of {name} makes no sense ({type(error).__name__}: {error}).",
        hint="It may be of a kind older than 2017, or no container image: push it again with a newer tool.",
        context={"image": name},
    )


def no_such_arch(name: str, arch: str, others: list[str]) -> OhmykubeError:
    return OhmykubeError(
        "image.arch",
        f"{name} is there for {', '.join(sorted(set(others))) or 'no Linux'}, not for {arch}.",
        hint="Choose an image that is built for it, or say --arch where the machines have another architecture.",
        context={"image": name, "arch": arch},
    )


def _part(entry: Json) -> Part:
    digest, size = entry["digest"], entry["size"]
    if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise TypeError(f"{digest!r} is no sha256 digest")
    if not isinstance(size, int) or size < 0:
        raise TypeError(f"{size!r} is no size")
    return Part(digest, size)


def _rank(variant: str) -> tuple[int, str]:
    return (_VARIANTS.index(variant) if variant in _VARIANTS else len(_VARIANTS), variant)
