# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""YAML with places: plain data, and for each value the file and line where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

Path = tuple[str | int, ...]

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = (f"{_TAG}map", f"{_TAG}seq")
_SCALARS = tuple(_TAG + name for name in ("str", "int", "float", "bool", "null"))
_TEXTS = (f"{_TAG}timestamp", f"{_TAG}value")  # a date, and `=`: text to us, as to Kubernetes
_MOST_NODES = 100_000  # aliases of aliases can blow a small file up without end


@dataclass(frozen=True)
class Placed:
    """One document of a stream. origins: path → place (`dev.yaml:12`); that of the whole is at `()`."""

    data: Any
    origins: Mapping[Path, str]


def read(text: str, source: str, hint: str = "") -> list[Placed]:
    """Every document of the text. source: its name in messages. Raises OhmykubeError `file.syntax` with the place."""
    place = f"{source}:1"
    try:
        reader = _Reader(source)
        return [reader.document(node) for node in _composed(text)]
    except yaml.YAMLError as error:
        words = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        place = f"{source}:{_line(error, text)}"
    except RecursionError:
        words = "it is nested too deeply"
    raise OhmykubeError("file.syntax", f"{place}: {words}", hint=hint, context={"place": place}, exit_code=2)


def _composed(text: str) -> list[yaml.Node]:
    """A text that is wrong is read once more, by the slower reader whose words and places are the better ones."""
    try:
        return list(yaml.compose_all(text, Loader=_FAST))
    except yaml.YAMLError:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))


def _line(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1  # a character that YAML does not allow has no mark


class _Reader:
    """Turns a tree of YAML nodes into plain data and notes where each value stands."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.origins: dict[Path, str] = {}
        self._scalars = yaml.SafeLoader("")
        self._left = _MOST_NODES
        self._flat: set[int] = set()

    def document(self, node: yaml.Node) -> Placed:
        self.origins = {}
        return Placed(self._value(node, ()), self.origins)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._left -= 1
        if self._left < 0:
            self._refuse(node, "it grows too large by its aliases")
        self.origins[path] = f"{self.source}:{node.start_mark.line + 1}"
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in _COLLECTIONS:
            self._refuse(node, f"the tag {node.tag} has no place here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag in _TEXTS:
            return node.value
        if node.tag not in _SCALARS:
            self._refuse(node, f"the tag {node.tag} has no place here")
        try:
            node.value.encode()
            return self._scalars.construct_object(node)
        except (ValueError, KeyError) as error:  # a tag that does not fit, a number too long, half a character
            return self._refuse(node, f"{node.value[:40]!r} is no {node.tag.removeprefix(_TAG)}: {error}")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if id(node) not in self._flat:
            self._refuse_twins(node)
            self._scalars.flatten_mapping(node)  # puts what `<<` merges before the node's own keys
            self._flat.add(id(node))
        values: dict[str, Any] = {}
        for key, value in node.value:
            name = str(self._scalar(key))
            values[name] = self._value(value, (*path, name))
        return values

    def _refuse_twins(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, "a key must be a plain word")
            if key.value in seen:
                self._refuse(key, f"the key {key.value!r} stands twice")
            seen.add(key.value)

    @staticmethod
    def _refuse(node: yaml.Node, words: str) -> Any:
        raise yaml.MarkedYAMLError(problem=words, problem_mark=node.start_mark)
