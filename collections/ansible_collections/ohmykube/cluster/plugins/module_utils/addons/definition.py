# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What an add-on is: a folder with addon.yml, and manifests beside it. Read once, with the place of every problem."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import places
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all

BUILTIN = Path(__file__).resolve().parents[3] / "addons"
METADATA = "addon.yml"

_HINT = "docs/addons.md shows all keys of an add-on"
_SUFFIXES = (".yml", ".yaml", ".json")
_LARGEST = 2**20  # bytes of a folder: its text becomes part of the cluster's wish
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_READY = re.compile(r"(Deployment|StatefulSet|DaemonSet)/[a-z0-9.-]+/[a-z0-9.-]+")
_OPERATIONS = ("add", "remove", "replace")


@dataclass(frozen=True)
class Addon:
    """requires: names of others. priority: of those that could go next, the lowest goes first.

    component: what the catalogue calls its manifest; empty: it has manifests of its own, file name → text.
    images: those that no manifest names. patches: changes of objects, see rendering.py.
    ready: workloads that something else makes, as Kind/namespace/name, to wait for too. timeout: seconds.
    """

    name: str
    version: str = ""
    description: str = ""
    requires: tuple[str, ...] = ()
    priority: int = 50
    component: str = ""
    images: tuple[str, ...] = ()
    patches: tuple[Mapping[str, Any], ...] = ()
    ready: tuple[str, ...] = ()
    timeout: int = 300
    manifests: Mapping[str, str] = field(default_factory=dict)
    own: bool = True


def builtin() -> dict[str, Addon]:
    """Those of the collection, by name."""
    folders = sorted(path.parent for path in BUILTIN.glob(f"*/{METADATA}"))
    return {path.name: of_files(path.name, read_folder(path), str(path), own=False) for path in folders}


def read_folder(folder: Path) -> dict[str, str]:
    """The texts that make an add-on, by name. Raises OhmykubeError `addon.unreadable`."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.name.startswith("."))
        found = {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise _error("addon.unreadable", f"{folder}: {words}", "an add-on is a folder with addon.yml") from error
    if METADATA not in found:
        raise _error("addon.unreadable", f"{folder}: there is no {METADATA}", _HINT)
    if (size := sum(len(text.encode()) for text in found.values())) > _LARGEST:
        raise _error("addon.unreadable", f"{folder}: {size} bytes are more than the {_LARGEST} that an add-on may have")
    return found


def of_files(name: str, files: Mapping[str, str], source: str, *, own: bool = True) -> Addon:
    """source: the folder, for messages. own: of the user's. Raises OhmykubeError `addon.invalid`: every problem."""
    problems: list[OhmykubeError] = []
    if not _NAME.fullmatch(name):
        words = f"{name!r} cannot name an add-on: use lower-case letters, digits and '-', at most 40 in all"
        problems.append(_error("addon.invalid", words))
    documents = places.read(files[METADATA], f"{source}/{METADATA}", _HINT)
    data, origins = (documents[0].data, documents[0].origins) if documents else ({}, {})
    values = {}
    for key, value, place in _items(data, origins, f"{source}/{METADATA}:1", problems):
        try:
            values[key] = _reader(key)(value)
        except ValueError as error:
            problems.append(_error("addon.invalid", f"{place}: {error}", _HINT))
    manifests = {file: text for file, text in files.items() if file != METADATA}
    if bool(values.get("component")) == bool(manifests):
        words = (
            "it has a component and manifests of its own" if manifests else "it has neither a component nor manifests"
        )
        problems.append(_error("addon.invalid", f"{source}: {words}", "an add-on has one or the other"))
    if name in values.get("requires", ()):
        problems.append(_error("addon.invalid", f"{source}: it requires itself"))
    for file, text in manifests.items():
        problems += _manifest_problems(text, f"{source}/{file}")
    raise_all(problems)
    return Addon(name, manifests=manifests, own=own, **values)


def _items(
    data: Any, origins: Mapping[places.Path, str], where: str, problems: list[OhmykubeError]
) -> Iterator[tuple[str, Any, str]]:
    """Keys that there are, each with its value and place."""
    if data is not None and not isinstance(data, dict):
        problems.append(_error("addon.invalid", f"{where}: it holds no mapping of keys to values", _HINT))
        return
    for key, value in (data or {}).items():
        place = origins.get((key,), where)
        if key in _KEYS:
            yield key, value, place
        else:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_KEYS)}"
            problems.append(_error("addon.invalid", f"{place}: {key} is no known key", hint))


_KEYS = tuple(each.name for each in fields(Addon) if each.name not in ("name", "manifests", "own"))


def _reader(key: str) -> Callable[[Any], Any]:
    if key in ("requires", "images", "ready"):
        return lambda value: _texts(key, value)
    if key in ("priority", "timeout"):
        return lambda value: _number(key, value)
    return _patches if key == "patches" else lambda value: _text(key, value)


def _text(key: str, value: Any) -> str:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{key} must be text")


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{key} must be a list of names")
    if key == "ready" and (wrong := next((item for item in value if not _READY.fullmatch(item)), "")):
        raise ValueError(f"{wrong!r} is no workload: write Deployment/namespace/name, or a StatefulSet or DaemonSet")
    return tuple(value)


def _number(key: str, value: Any) -> int:
    low, high = (1, 3600) if key == "timeout" else (0, 100)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{key} must be a number from {low} to {high}")
    return value


def _patches(value: Any) -> tuple[Mapping[str, Any], ...]:
    for item in value if isinstance(value, list) else [None]:
        if not isinstance(item, dict) or not {"kind", "name", "patch"} <= item.keys() <= _PATCH_KEYS:
            raise ValueError("patches must be a list, each with kind, name, patch, and where it matters namespace")
        for step in item["patch"] if isinstance(item["patch"], list) else [None]:
            if (
                not isinstance(step, dict)
                or step.get("op") not in _OPERATIONS
                or not str(step.get("path")).startswith("/")
            ):
                raise ValueError(f"a patch is a list of steps with op ({', '.join(_OPERATIONS)}), path and value")
            if (step["op"] == "remove") == ("value" in step):
                raise ValueError(
                    f"op {step['op']} of {step['path']}: a value belongs to add and replace, and to no other"
                )
    return tuple(value)


_PATCH_KEYS = frozenset({"kind", "name", "namespace", "patch"})


def _manifest_problems(text: str, source: str) -> Iterator[OhmykubeError]:
    try:
        documents = places.read(text, source, _HINT)
    except OhmykubeError as error:
        yield error
        return
    for document in documents:
        item, place = document.data, document.origins[()]
        if item is None:
            continue
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not item.get("apiVersion") or not item.get("kind"):
            yield _error("addon.invalid", f"{place}: an object has an apiVersion and a kind")
        elif not str(item["kind"]).endswith("List") and not (isinstance(metadata, dict) and metadata.get("name")):
            yield _error(
                "addon.invalid", f"{place}: {item['kind']} has no metadata.name, so it would be made anew each time"
            )


def _error(code: str, words: str, hint: str = "") -> OhmykubeError:
    return OhmykubeError(code, words, hint=hint, exit_code=2)
