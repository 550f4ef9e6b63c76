# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""An image out of the cache: the archive that holds it, as a file that docker, podman, ctr and we can load."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import BinaryIO, cast

from ansible_collections.ohmykube.cluster.plugins.module_utils.archive_reader import LIMIT, readable
from ansible_collections.ohmykube.cluster.plugins.module_utils.decompress import BLOCK, HashedFile, plain_blocks
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image

_FORMS = {".tar": "tar", ".tar.gz": "gz", ".tgz": "gz", ".tar.zst": "zst"}


def export(image: Image, target: Path) -> None:
    """Write it to `target`, whole or not at all; the suffix says how it is compressed.

    Raises OhmykubeError `image.suffix`, `image.damaged` or `disk.*`.
    """
    form = next((form for suffix, form in _FORMS.items() if target.name.endswith(suffix)), "")
    if not form:
        raise OhmykubeError(
            "image.suffix",
            f"{target} does not say in which form the image is wanted.",
            hint=f"End its name in {', '.join(_FORMS)}.",
            exit_code=2,
        )
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    with disk_errors(target.parent):
        try:
            with image.path.open("rb") as file, beside.open("xb") as sink:
                source = HashedFile(file)
                with readable(str(image.path)):
                    _copy(source, sink, form)
                if source.sha256() != image.sha256:
                    raise _damaged(image)
                sink.flush()
                os.fsync(sink.fileno())
            beside.replace(target)
        except OhmykubeError as error:
            raise (_damaged(image) if error.code == "archive.corrupt" else error) from error
        finally:
            beside.unlink(missing_ok=True)


def _copy(source: HashedFile, sink: BinaryIO, form: str) -> None:
    if form == "zst":
        shutil.copyfileobj(cast(BinaryIO, source), sink, BLOCK)
        return
    blocks = plain_blocks(source, "tar.zst", LIMIT)
    if form == "tar":
        sink.writelines(blocks)
        return
    with gzip.GzipFile("", "wb", compresslevel=1, fileobj=sink, mtime=0) as packed:
        for block in blocks:
            packed.write(block)


def _damaged(image: Image) -> OhmykubeError:
    return OhmykubeError(
        "image.damaged",
        f"{image.path} is not what was put into the cache: its sum is another.",
        hint=f"`ohmykube image rm {image.reference}`, then pull or add it again.",
        context={"path": image.path},
    )
