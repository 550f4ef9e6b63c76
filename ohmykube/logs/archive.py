"""The archive: one .tar.gz, there whole or not at all. Nothing gets into it but through the redaction."""

import io
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from ohmykube.logs import redact

_ENTRY_MAX = 32 * 2**20  # bytes of one entry
_IN_MEMORY = 2**20  # bytes of an entry that is being made; more of it goes to the disk
_BLOCK = redact.LINE_MAX + 1


class Archive:
    """May be written to from several threads. top: the folder that all entries are in."""

    def __init__(self, file: BinaryIO, top: str) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w:gz", compresslevel=5)  # noqa: SIM115 - closed by `close`
        self._top = top
        self._guard = threading.Lock()
        self.entries = 0

    def add(self, name: str, source: IO[bytes]) -> None:
        """Redact what comes, line by line, and keep it. Of a long text the beginning is kept."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as made:
            for line in redact.lines(_lines(source)):
                made.write(line.encode())
                if made.tell() > _ENTRY_MAX:
                    made.write(f"\n[cut after {_ENTRY_MAX // 2**20} MiB]\n".encode())
                    _drain(source)
                    break
            entry = tarfile.TarInfo(f"{self._top}/{name}")
            entry.size, entry.mode, entry.mtime = made.tell(), 0o600, int(time.time())
            made.seek(0)
            with self._guard:
                self._tar.addfile(entry, made)
                self.entries += 1

    def add_text(self, name: str, text: str) -> None:
        self.add(name, io.BytesIO(text.encode()))

    def close(self) -> None:
        self._tar.close()


@contextmanager
def create(path: Path, top: str) -> Iterator[Archive]:
    """An archive that is at `path`, for its owner alone, when the block ends without an error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            archive = Archive(file, top)
            yield archive
            archive.close()
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def _drain(source: IO[bytes]) -> None:
    """Whoever writes it shall come to an end by itself."""
    while source.read(_BLOCK):
        pass


def _lines(source: IO[bytes]) -> Iterator[str]:
    """One that never ends comes as one that is too long, and the rest of it not at all."""
    whole = True
    while block := source.readline(_BLOCK):
        if whole:
            yield block.decode(errors="replace")
        whole = block.endswith(b"\n")
