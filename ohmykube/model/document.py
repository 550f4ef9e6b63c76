"""YAML with positions: a problem can name the line it stands on."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from ohmykube.errors import OhmykubeError

Path = tuple[str | int, ...]
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_MOST_NODES = 100_000  # aliases of aliases can blow a small file up without end


@dataclass
class Document:
    """Plain data, and for each path in it the place it came from (`dev.yaml:12`, `flag --workers`)."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)

    def origin(self, path: Path) -> str:
        """Where the value at `path`, or the nearest thing that holds it, was written; empty: a default."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return ""

    def set(self, path: Path, value: Any, origin: str) -> None:
        """Put one value; what is missing on the way is made."""
        here: Any = self.data
        for key in path[:-1]:
            here = here[key] if isinstance(key, int) else here.setdefault(key, {})
        here[path[-1]] = value
        self.origins[path] = origin


def parse(text: str, source: str) -> Document:
    """One YAML mapping. source: the name used in messages. Raises OhmykubeError `file.syntax`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        reader = _Reader(source)
        data = {} if node is None else reader.value(node, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "start_mark", None)
        place = f"{source}:{mark.line + 1}" if mark else source
        words = getattr(error, "problem", None) or str(error)
        raise _syntax(place, words) from error
    except RecursionError as error:
        raise _syntax(source, "it is nested too deeply") from error
    if not isinstance(data, dict):
        raise _syntax(source, "the file holds no mapping of keys to values")
    return Document(data, reader.origins)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint `did you mean 'x'?`, or the known words where none is near."""
    choices = sorted(known)
    match = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if match:
        return f"did you mean {match[0]!r}?"
    return f"known: {', '.join(choices)}" if choices else ""


def merge(lower: Document, upper: Document) -> Document:
    """Mappings are merged, everything else is replaced: lists too, since their items have no names."""
    origins = dict(lower.origins)

    def both(low: Any, high: Any, path: Path) -> Any:
        if isinstance(low, dict) and isinstance(high, dict):
            return {
                key: both(low.get(key), high[key], (*path, key)) if key in high else low[key]
                for key in [*low, *(key for key in high if key not in low)]
            }
        for old in [old for old in origins if old[: len(path)] == path]:
            del origins[old]
        return high

    data = both(lower.data, upper.data, ())
    return Document(data, {**origins, **upper.origins})


class _Reader:
    """Turns a tree of YAML nodes into plain data and notes where each value stands."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.origins: dict[Path, str] = {}
        self._scalars = yaml.SafeLoader("")
        self._left = _MOST_NODES
        self._flat: set[int] = set()

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._left -= 1
        if self._left < 0:
            raise yaml.MarkedYAMLError(problem="it grows too large by its aliases", problem_mark=node.start_mark)
        self.origins[path] = self._place(node)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN_TAGS:
            raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} has no place here", problem_mark=node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:  # a date like 2026-99-99
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if id(node) not in self._flat:
            self._refuse_twins(node)
            self._scalars.flatten_mapping(node)  # puts what `<<` merges before the node's own keys
            self._flat.add(id(node))
        return {
            str(self._scalars.construct_object(key)): self.value(
                value, (*path, str(self._scalars.construct_object(key)))
            )
            for key, value in node.value
        }

    @staticmethod
    def _refuse_twins(node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a plain word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)

    def _place(self, node: yaml.Node) -> str:
        return f"{self.source}:{node.start_mark.line + 1}"


def _syntax(place: str, words: str) -> OhmykubeError:
    return OhmykubeError(
        "file.syntax",
        f"{place}: {words}",
        hint="`ohmykube up --help` shows an example of a cluster file",
        context={"place": place},
        exit_code=2,
    )
