# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What the disk has to say, in words that a person can act on."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError


def private_folder(path: Path) -> None:
    """Make it, and what leads to it, for its owner alone; folders that exist stay as they are."""
    for folder in reversed([path, *path.parents]):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)


def mark_used(path: Path) -> bool:
    """Note in the file's time that somebody asked for it; False where it is gone.

    What was used of late is not pruned. A cache that may only be read is nobody's to prune.
    """
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Turn an OSError of work below `root` into OhmykubeError `disk.full`, `disk.forbidden` or `disk.failed`."""
    try:
        yield
    except OSError as error:
        path = error.filename or root
        context = {"path": path, "reason": error.strerror or error}
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OhmykubeError(
                "disk.full",
                f"No space is left for {root}.",
                hint="Make room, or set OHMYKUBE_HOME to a folder on a larger disk.",
                context=context,
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise OhmykubeError(
                "disk.forbidden",
                f"{path} cannot be used: {error.strerror}.",
                hint="Check who owns it, or set OHMYKUBE_HOME to a folder of your own.",
                context=context,
            ) from error
        if error.errno == errno.ENOENT:
            folder = Path(os.fsdecode(path)).parent
            words = f"There is no file {path}." if folder.is_dir() else f"There is no folder {folder}."
            raise OhmykubeError("disk.failed", words, hint="Check how it is written.", context=context) from error
        raise OhmykubeError("disk.failed", f"{path} cannot be used: {error}.", context=context) from error
