"""The cluster file as data with places: a problem can name the line it stands on."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import places

from ohmykube.errors import OhmykubeError

Path = tuple[str | int, ...]
_HINT = "`ohmykube up --help` shows an example of a cluster file"


@dataclass
class Document:
    """Plain data, and for each path in it the place it came from (`dev.yaml:12`, `flag --workers`)."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)

    def origin(self, path: Path) -> str:
        """Where the value at `path`, or the nearest thing that holds it, was written; empty: a default."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return ""

    def at(self, path: Path) -> Any:
        """The value there; None where nothing is."""
        here: Any = self.data
        for key in path:
            try:
                here = here[key]
            except (KeyError, IndexError, TypeError):
                return None
        return here

    def set(self, path: Path, value: Any, origin: str) -> None:
        """Put one value; what is missing on the way is made. Where no mapping is in its place, nothing is put there."""
        here: Any = self.data
        for key in path[:-1]:
            here = here[key] if isinstance(key, int) else here.setdefault(key, {})
            if not isinstance(here, dict | list):
                return
        here[path[-1]] = value
        self.origins[path] = origin


def parse(text: str, source: str) -> Document:
    """One YAML mapping. source: the name used in messages. Raises OhmykubeError `file.syntax`."""
    found = places.read(text, source, _HINT)
    if len(found) > 1:
        raise _syntax(found[1].origins[()], "a cluster file is one document")
    data = found[0].data if found else None
    if data is None:
        return Document({}, {(): f"{source}:1"})
    if not isinstance(data, dict):
        raise _syntax(found[0].origins[()], "the file holds no mapping of keys to values")
    return Document(data, dict(found[0].origins))


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


def _syntax(place: str, words: str) -> OhmykubeError:
    return OhmykubeError("file.syntax", f"{place}: {words}", hint=_HINT, context={"place": place}, exit_code=2)
