"""Machine images with everything on them that a node needs: made once, and later machines start from them.

Each is a folder `<name>-<inputs>`: its name says for what it is, `inputs` is a digest of what went into it. When that
changes, the image is stale: it is not found any more, and goes when no machine reads it.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ohmykube.store import atomic, lock

_ABOUT = "about.json"  # written last: a folder that has it is whole
_MAKING = ".making"
_LOCK_TIMEOUT = 3600.0  # seconds for another process that makes an image


@dataclass(frozen=True)
class MachineImage:
    """path: its folder. size: bytes. created: ISO time, UTC."""

    name: str
    inputs: str
    path: Path
    size: int
    created: str


@dataclass(frozen=True)
class MachineImages:
    """root: `$OHMYKUBE_HOME/cache/machines`, which need not exist yet."""

    root: Path

    def find(self, name: str, inputs: str) -> Path | None:
        """The image of that name, unless it is stale."""
        path = self._path(name, inputs)
        return path if inputs and (path / _ABOUT).is_file() else None

    def entries(self) -> list[MachineImage]:
        return [
            MachineImage(path=about.parent, **json.loads(about.read_text()))
            for about in sorted(self.root.resolve().glob(f"[!.]*/{_ABOUT}"))
        ]

    @contextmanager
    def adding(self, name: str, inputs: str) -> Iterator[Path]:
        """A folder to fill, which becomes the image when the block ends without an error; older ones of it go."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock.hold(self.root / ".lock", "bake", timeout=_LOCK_TIMEOUT, waiting=lambda _: None):
            making = self.root / _MAKING  # only ever one: we hold the lock
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(mode=0o700)
            yield making
            about = {"name": name, "inputs": inputs, "size": size_of(making)}
            about["created"] = datetime.now(UTC).isoformat(timespec="seconds")
            atomic.write(making / _ABOUT, json.dumps(about, indent=1) + "\n")
            path = self._path(name, inputs)
            if path.exists():
                self._remove(path)
            making.rename(path)
            self.prune([image for image in self.entries() if image.name == name and image.inputs != inputs])

    def prune(self, images: list[MachineImage]) -> list[MachineImage]:
        """Remove those that no machine reads; they are returned."""
        used = self._in_use()
        gone = [image for image in images if image.path not in used]
        for image in gone:
            self._remove(image.path)
        return gone

    def _in_use(self) -> set[Path]:
        """Images that machines go on reading: each of those has a link `image` in its folder."""
        links = self.root.parent.parent.glob("clusters/*/machines/*/image")
        return {path for link in links for path in (link.resolve(), *link.resolve().parents)}

    def _path(self, name: str, inputs: str) -> Path:
        return self.root.resolve() / f"{name}-{inputs[:12]}"

    def _remove(self, path: Path) -> None:
        """First by name, so that a kill in the middle leaves nothing that looks whole."""
        gone = path.with_name(f".gone-{path.name}")
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
        shutil.rmtree(gone)


def size_of(folder: Path) -> int:
    """Bytes of its files on the disk, in which holes do not count."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
