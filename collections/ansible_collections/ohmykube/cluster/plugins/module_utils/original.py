# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The original of an artifact: where it lies, which sum it must have, and what is said when it has another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.checksums import algorithm, find_sum
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

if TYPE_CHECKING:
    from ansible_collections.ohmykube.cluster.plugins.module_utils.download import Downloader


def local_path(url: str) -> Path | None:
    """The file that a `file:` URL names."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def basename(url: str) -> str:
    """The last part of its path."""
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]


def wanted_sum(artifact: Artifact, downloads: Callable[[], Downloader], offline: bool, allow_unverified: bool) -> str:
    """The pinned sum, else the published one; empty only where no verification is allowed."""
    if artifact.pinned:
        return artifact.pinned
    if artifact.checksum_url:
        published = find_sum(_checksum_file(artifact, downloads, offline, allow_unverified), basename(artifact.url))
        if published:
            return published
    if allow_unverified:
        return ""
    raise OhmykubeError(
        "cache.unverified",
        f"{artifact.name} has no pinned sum, and {artifact.checksum_url or 'nobody'} publishes none for it.",
        hint="Add its sha256 in a catalogue overlay (--catalogue FILE), or accept it with --allow-unverified.",
        context={"component": artifact.component, "version": artifact.version, "url": artifact.url},
    )


def _checksum_file(
    artifact: Artifact, downloads: Callable[[], Downloader], offline: bool, allow_unverified: bool
) -> str:
    local = local_path(artifact.checksum_url)
    if local:
        return local.read_text(errors="replace") if local.is_file() else ""
    if offline:
        if local_path(artifact.url):
            return ""
        raise offline_error(artifact)
    try:
        return downloads().text(artifact.checksum_url, logins=artifact.logins)
    except OhmykubeError:
        if allow_unverified:
            return ""
        raise


def compare(artifact: Artifact, wanted: str, found: str, cause: Exception | None = None) -> None:
    """Raise OhmykubeError `cache.sum-mismatch` unless the sums agree; no wanted sum, no comparison."""
    if wanted and found != wanted:
        sums = f"its {algorithm(wanted)} is {found}, not {wanted}"
        raise OhmykubeError(
            "cache.sum-mismatch",
            f"{artifact.name} from {artifact.url} is not what it should be: {sums}.",
            hint="Try again; if it stays so, the file at that URL was changed: do not use it, or correct the overlay.",
            context={"url": artifact.url, "found": found, "wanted": wanted},
        ) from cause


def opened(original: Path, artifact: Artifact) -> BinaryIO:
    """Open it. Raises OhmykubeError `cache.no-file`."""
    try:
        return original.open("rb")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise OhmykubeError(
            "cache.no-file",
            f"{artifact.name}: the file {original} cannot be read ({error.strerror}).",
            hint="Correct its url in the catalogue overlay, or put the file there.",
            context={"path": original},
        ) from error


def offline_error(artifact: Artifact) -> OhmykubeError:
    return OhmykubeError(
        "cache.offline",
        f"{artifact.name} is not in the cache, and nothing may be downloaded.",
        hint="Leave out --offline, name a local file in an overlay (--catalogue FILE), or bring a filled cache.",
        context={"component": artifact.component, "version": artifact.version, "url": artifact.url},
    )
