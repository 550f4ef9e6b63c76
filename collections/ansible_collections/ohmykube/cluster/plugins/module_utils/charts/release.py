# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a chart is rendered with, and the files of one that lies in a folder of the user's own."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ARCHIVE = ".tgz"  # in texts as base64
_ABOUT = "Chart.yaml"


@dataclass(frozen=True)
class Release:
    """name: of the release. kubernetes: the version that the chart is told it runs on.

    values: as JSON, with secrets perhaps. archive: the chart in the cache; empty: it is in the files, see `read`.
    """

    name: str
    namespace: str
    kubernetes: str
    values: str = field(default="{}", repr=False)
    archive: str = ""
    files: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def read(folder: Path, chart: str) -> dict[str, str]:
    """The texts of a chart by their path in the folder. chart: of its archive or folder, relative.

    Raises ValueError for what is none, and OSError.
    """
    if chart.startswith("/") or ".." in PurePosixPath(chart).parts:
        raise ValueError(f"the chart {chart} lies outside of the folder")
    top = folder / chart
    if chart.endswith(ARCHIVE):
        return {chart: _text(top)}
    if not (top / _ABOUT).is_file():
        raise ValueError(f"./{chart} is no chart: there is no {chart}/{_ABOUT}")
    paths = {path.relative_to(top): path for path in sorted(top.rglob("*")) if path.is_file()}
    return {f"{chart}/{name.as_posix()}": _text(path) for name, path in paths.items() if not _is_hidden(name)}


def write(files: Mapping[str, str], target: Path) -> Path:
    """The chart, made of such texts in an empty folder: its archive or folder. Raises ValueError, and OSError."""
    for name, text in files.items():
        path = target / name
        if not path.resolve().is_relative_to(target.resolve()):
            raise ValueError(f"{name} lies outside of the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(name, text))
    archive = next((name for name in files if name.endswith(ARCHIVE) and len(files) == 1), "")
    about = next((name for name in sorted(files, key=len) if PurePosixPath(name).name == _ABOUT), "")
    return target / archive if archive else (target / about).parent


def _is_hidden(name: Path) -> bool:
    """A repository of git's, for instance; what helm is to pass over, it must know."""
    return any(part.startswith(".") for part in name.parts) and name.name != ".helmignore"


def _text(path: Path) -> str:
    content = path.read_bytes()
    if path.name.endswith(ARCHIVE):
        return base64.b64encode(content).decode()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text; `helm package` makes an archive of a chart") from error


def _bytes(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if name.endswith(ARCHIVE) else text.encode()
    except binascii.Error as error:
        raise ValueError(f"{name} is not whole") from error
