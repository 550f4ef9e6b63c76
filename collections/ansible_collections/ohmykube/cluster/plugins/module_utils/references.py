# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Image references as containerd writes them: `busybox` is `docker.io/library/busybox:latest`."""

from __future__ import annotations

import re

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def normal_reference(text: str) -> str:
    """The full form: domain, path, and a tag (`latest` where there is neither tag nor digest).

    Raises OhmykubeError `image.reference` for what no registry would take.
    """
    rest, at, digest = text.partition("@")
    head, slash, path = rest.partition("/")
    if not slash or not _is_domain(head):
        head, path = "docker.io", rest
    if head in ("docker.io", "index.docker.io"):
        head = "docker.io"
        path = path if "/" in path else f"library/{path}"
    path, colon, tag = path.partition(":")
    if not colon and not at:
        colon, tag = ":", "latest"
    good = (
        _DOMAIN.fullmatch(head)
        and _PATH.fullmatch(path)
        and (not colon or _TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
        and len(path) <= 255
    )
    if not good:
        raise OhmykubeError(
            "image.reference",
            f"{text!r} is no image reference.",
            hint="Write it like busybox:1.37 or registry.example.org/team/app:v1; paths are in lower case.",
            context={"reference": text},
            exit_code=2,
        )
    return f"{head}/{path}{colon}{tag}{at}{digest}"


def stored_reference(text: str) -> str:
    """The name under which containerd looks an image up: a digest says all, so a tag before it does not count."""
    full = normal_reference(text)
    name, at, digest = full.partition("@")
    return f"{repository(name)}{at}{digest}" if at else full


def repository(reference: str) -> str:
    """A full reference without tag and digest."""
    name = reference.partition("@")[0]
    path, _, tag = name.rpartition(":")
    return path if path and "/" not in tag else name


def _is_domain(head: str) -> bool:
    """The first part is a registry where it could not be a path: with a dot, a port, upper case, or localhost."""
    return any(sign in head for sign in ".:") or head == "localhost" or head != head.lower()
