# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The node's images, as containerd has them.

Part of the receiver (receiver.py): standard library only.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.receiver_payloads import Failure, copy, tool_failure

IMPORT_TIMEOUT = 600  # seconds for containerd to take one verified archive
CTR = ("ctr", "--namespace", "k8s.io", "images")
LABEL = "ohmykube.dev/payload"
PINNED = "io.cri-containerd.pinned=pinned"  # keeps what was preloaded from the kubelet's garbage collector


class Importer:
    """containerd's images. One import runs while the next archive arrives.

    An archive is spooled to disk and verified before ctr gets any of it: containerd resumes an aborted ingest by its
    name, so a corrupt beginning would spoil the next, good import. ctr unpacks zstd itself, but not with `--local`.
    """

    def __init__(self) -> None:
        self._running: tuple[Mapping[str, Any], subprocess.Popen[bytes], IO[bytes]] | None = None
        self._loaded: dict[str, str] = {}
        self._before: dict[str, str] | None = None

    def __enter__(self) -> Importer:
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        """An import that has begun is of a verified archive, so it is waited for even when another payload failed."""
        self._wait()
        if kind is None and self._loaded:
            there = loaded_images()
            for reference, digest in self._loaded.items():
                if there.get(reference) != digest:
                    raise Failure("node.import-failed", f"{reference} is not in containerd after its import")
            for reference in outdated(self._before or {}, there):  # else each reload would stay on the disk for ever
                unpin = [*CTR, "label", reference, f"{PINNED.partition('=')[0]}="]
                subprocess.run(unpin, capture_output=True, timeout=60, check=False)

    def load(self, payload: Mapping[str, Any], source: BinaryIO, folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder) as archive:
            copy(payload, source, archive)
            archive.seek(0)
            self._wait()
            self._before = loaded_images() if self._before is None else self._before
            # Named, since ctr takes only what the node itself could run, and somebody may have an emulator.
            platform = ["--platform", f"linux/{payload['arch']}"] if payload.get("arch") else []
            command = [*CTR, "import", *platform, "--label", f"{LABEL}={payload['sha256']}", "--label", PINNED, "-"]
            errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _wait)
            process = subprocess.Popen(command, stdin=archive, stdout=subprocess.DEVNULL, stderr=errors)
            self._running = payload, process, errors

    def _wait(self) -> None:
        if not self._running:
            return
        payload, process, errors = self._running
        self._running = None
        with errors:
            try:
                code = process.wait(IMPORT_TIMEOUT)
            except subprocess.TimeoutExpired as error:
                raise Failure("node.timeout", f"containerd did not take {payload['name']} in time") from error
            finally:
                process.kill()
            if code:
                raise tool_failure("import", payload, errors)
        self._loaded.update(dict.fromkeys(payload["references"], payload["sha256"]))


def loaded_images() -> dict[str, str]:
    """Reference to archive's sum, of the images that came from here; none where containerd does not answer."""
    try:
        listed = subprocess.run([*CTR, "list"], capture_output=True, text=True, timeout=60, check=False).stdout
    except FileNotFoundError:
        return {}
    pattern = re.compile(rf"^(\S+) .*[ ,]{re.escape(LABEL)}=([0-9a-f]{{64}})", re.MULTILINE)
    return dict(pattern.findall(listed))


def outdated(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names by digest whose archive has lost its last tag to a newer one: nobody preloads them any more."""
    tagged = {archive for name, archive in after.items() if "@" not in name}
    moved = {archive for name, archive in before.items() if "@" not in name} - tagged
    return [name for name, archive in after.items() if "@" in name and archive in moved]
