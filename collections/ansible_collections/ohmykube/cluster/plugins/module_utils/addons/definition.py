# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What an add-on is: a folder with addon.yml, and manifests or a chart beside it. Read once, with the place of every
problem."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import places
from ansible_collections.ohmykube.cluster.plugins.module_utils.charts import release
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all

BUILTIN = Path(__file__).resolve().parents[3] / "addons"
METADATA = "addon.yml"

_HINT = "docs/addons.md shows all keys of an add-on"
_SUFFIXES = (".yml", ".yaml", ".json")
_LARGEST = 2**20  # bytes of a folder: its text becomes part of the cluster's wish
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HERE = "./"  # what a chart in the folder begins with
_READY = re.compile(r"(Deployment|StatefulSet|DaemonSet)/[a-z0-9.-]+/[a-z0-9.-]+")
_SECRET = re.compile(rf"{_NAMESPACE.pattern}/[a-z0-9]([-.a-z0-9]{{0,251}}[a-z0-9])?/[-._a-zA-Z0-9]{{1,253}}")
_FORMS = {  # of names in a list: what they look like, and what is said of others
    "ready": (_READY, "is no workload: write Deployment/namespace/name, or a StatefulSet or DaemonSet"),
    "secrets": (_SECRET, "is no key of a Secret: write namespace/name/key"),
}
_OPERATIONS = ("add", "remove", "replace")


@dataclass(frozen=True)
class Addon:
    """requires: names of others. priority: of those that could go next, the lowest goes first.

    component: what the catalogue calls its manifest. chart: what it calls its chart, or with ./ the path of one in the
    folder. Both are empty: it has manifests of its own, file name → text.
    namespace: the chart's; empty: it is called like the add-on. values: the chart's, which can be secrets.
    chart_files: texts of a chart in the folder, see charts/release.py.
    secrets: keys that get a random value on the cluster, as namespace/name/key.
    images: those that no manifest names. patches: changes of objects, see rendering.py.
    ready: workloads that something else makes, as Kind/namespace/name, to wait for too. timeout: seconds.
    """

    name: str
    version: str = ""
    description: str = ""
    requires: tuple[str, ...] = ()
    priority: int = 50
    component: str = ""
    chart: str = ""
    namespace: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    patches: tuple[Mapping[str, Any], ...] = ()
    ready: tuple[str, ...] = ()
    timeout: int = 300
    manifests: Mapping[str, str] = field(default_factory=dict)
    chart_files: Mapping[str, str] = field(default_factory=dict, repr=False)
    own: bool = True

    @property
    def fetched(self) -> str:
        """The component of the catalogue that its manifest or chart is; empty where it has its own."""
        return self.component or ("" if self.chart.startswith(_HERE) else self.chart)


def builtin() -> dict[str, Addon]:
    """Those of the collection, by name."""
    folders = sorted(path.parent for path in BUILTIN.glob(f"*/{METADATA}"))
    return {path.name: of_files(path.name, read_folder(path), str(path), own=False) for path in folders}


def read_folder(folder: Path) -> dict[str, str]:
    """The texts that make an add-on, by name. Raises OhmykubeError `addon.unreadable`."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.name.startswith("."))
        found = {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
        if chart := _chart_within(found.get(METADATA, "")):
            found.update(release.read(folder, chart))
    except (OSError, ValueError) as error:
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
    chart_files, manifests = _parted(files, values.get("chart", ""))
    if _own_chart(values.get("chart", "")) and not chart_files:
        problems.append(_error("addon.invalid", f"{source}: there is no {values['chart']} in it"))
    has = [name for name, it in (*((key, values.get(key)) for key in _ONE_OF), ("manifests", manifests)) if it]
    if len(has) != 1:
        words = f"it has a {' and '.join(has)} of its own" if has else "it has no component, chart or manifests"
        problems.append(_error("addon.invalid", f"{source}: {words}", "an add-on has one of them"))
    if (alone := [key for key in _OF_CHARTS if key in values]) and "chart" not in values:
        problems.append(
            _error("addon.invalid", f"{source}: {' and '.join(alone)} say something to a chart alone", _HINT)
        )
    if name in values.get("requires", ()):
        problems.append(_error("addon.invalid", f"{source}: it requires itself"))
    for file, text in manifests.items():
        problems += _manifest_problems(text, f"{source}/{file}")
    raise_all(problems)
    return Addon(name, manifests=manifests, chart_files=chart_files, own=own, **values)


def _chart_within(metadata: str) -> str:
    """The path of the chart that the folder has; what is wrong with the text is said when it is judged."""
    try:
        documents = places.read(metadata, METADATA)
    except OhmykubeError:
        return ""
    data = documents[0].data if documents else None
    chart = data.get("chart") if isinstance(data, dict) else None
    return _own_chart(chart) if isinstance(chart, str) else ""


def _own_chart(chart: str) -> str:
    return chart.removeprefix(_HERE).rstrip("/") if chart.startswith(_HERE) else ""


def _parted(files: Mapping[str, str], chart: str) -> tuple[dict[str, str], dict[str, str]]:
    """Files of the chart, and manifests."""
    place = _own_chart(chart)
    within = {file for file in files if place and (file == place or file.startswith(f"{place}/"))}
    rest = {file: text for file, text in files.items() if file not in within and file != METADATA}
    return {file: files[file] for file in files if file in within}, rest


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


_KEYS = tuple(each.name for each in fields(Addon) if each.name not in ("name", "manifests", "chart_files", "own"))
_ONE_OF = ("component", "chart")
_OF_CHARTS = ("namespace", "values")


def _reader(key: str) -> Callable[[Any], Any]:
    if key in ("requires", "images", *_FORMS):
        return lambda value: _texts(key, value)
    if key in ("priority", "timeout"):
        return lambda value: _number(key, value)
    readers: dict[str, Callable[[Any], Any]] = {"patches": _patches, "values": _values, "chart": _chart}
    return readers.get(key, lambda value: _name(key, value) if key == "namespace" else _text(key, value))


def _text(key: str, value: Any) -> str:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{key} must be text")


def _name(key: str, value: Any) -> str:
    if isinstance(value, str) and _NAMESPACE.fullmatch(value):
        return value
    raise ValueError(f"{key} must be a name of lower-case letters, digits and '-'")


def _chart(value: Any) -> str:
    if isinstance(value, str) and (_own_chart(value) or _COMPONENT.fullmatch(value)):
        return value
    raise ValueError(f"chart must be a component of the catalogue, or begin with {_HERE} for one in this folder")


def _values(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError("values must be a mapping")


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"{key} must be a list of names")
    if key in _FORMS:
        form, words = _FORMS[key]
        if wrong := next((item for item in value if not form.fullmatch(item)), ""):
            raise ValueError(f"{wrong!r} {words}")
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
