# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Changes that know their before and after; files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

HIDDEN = "(not shown)\n"


@dataclass(frozen=True)
class Change:
    """One thing that is not yet as wanted.

    what: a line for people. before, after: for the diff. apply: makes it so; called at most once.
    """

    what: str
    before: str
    after: str
    apply: Callable[[], object]

    def diff(self) -> dict[str, str]:
        return {"before_header": self.what, "after_header": self.what, "before": self.before, "after": self.after}


def apply_all(changes: Sequence[Change]) -> None:
    for change in changes:
        change.apply()


def write_atomic(path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write a file so that a reader, or a power cut, sees the old or the new content and never a part.

    mode: permission bits, set before the content becomes visible. owner: uid and gid, None: the writer's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            os.fchmod(stream.fileno(), mode)
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """A rename itself must survive a power cut too."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def plan_file(
    host: Host, path: str, content: str | None, *, mode: int | None = None, secret: bool = False
) -> Change | None:
    """What makes a file have this content and mode, None if it has.

    path: absolute, on the node. content: None removes the file. mode: None keeps mode and owner of a file that is
    edited, and means 0644 for a new one. secret: the diff says that the content differs and not how.
    """
    target = host.path(path)
    try:
        status = target.stat()
        before: bytes | None = target.read_bytes()
        before_mode = stat.S_IMODE(status.st_mode)
    except FileNotFoundError:
        before, before_mode = None, 0o644
        if content is None:
            return None
    if content is None:
        return Change(f"{path} removed", _shown(before, before_mode, secret), "", target.unlink)

    after = content.encode()
    after_mode = before_mode if mode is None else mode
    if (before, before_mode) == (after, after_mode):
        return None
    owner = (status.st_uid, status.st_gid) if before is not None and mode is None else None
    return Change(
        path,
        _shown(before, before_mode, secret),
        _shown(after, after_mode, secret),
        lambda: write_atomic(target, after, after_mode, owner),
    )


def _shown(data: bytes | None, mode: int, secret: bool) -> str:
    if data is None:
        return ""
    text = HIDDEN if secret else data.decode(errors="replace")
    return f"(mode {mode:04o})\n{text}"
