# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Reads a catalogue file: checks every key, with its line, and resolves relative `file:` URLs.

Written by hand over PyYAML's nodes: they carry the positions, and this code also runs where nothing but PyYAML is sure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import quote, unquote, urlsplit

import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import without_login

ARCHITECTURES = ("amd64", "arm64", "any")
FORMATS = ("raw", "tar", "tar.gz", "tar.xz", "tar.bz2", "tar.zst", "zip")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*(?:[-+][0-9A-Za-z.+-]+)?)")
_COMPONENT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_DIGITS = {"sha256": 64, "sha512": 128}  # hexadecimal

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Where something comes from; None where a layer below decides. Of a component, or of one version and arch."""

    url: str | None = None
    checksum_url: str | None = None
    sha256: str | None = None
    sha512: str | None = None
    format: str | None = None
    members: Mapping[str, str] | None = None
    mode: int | None = None
    images: tuple[str, ...] | None = None

    def over(self, below: Source) -> Source:
        """This layer's values, and those of the layer below where this one is silent; one sum, of either kind."""
        if self.pinned:
            below = replace(below, sha256=None, sha512=None)
        return replace(below, **{key: value for key, value in vars(self).items() if value is not None})

    @property
    def pinned(self) -> str:
        """The sum that it must have; empty where none is pinned."""
        return self.sha256 or self.sha512 or ""


@dataclass(frozen=True)
class Component:
    """A component as one file describes it; `versions`: version, then architecture."""

    source: Source = Source()
    family: str | None = None
    default: str | None = None
    arch_names: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, Source]] = field(default_factory=dict)


def normal_version(text: str) -> str:
    """`1.36.4` and `v1.36.4` are one version: the latter. Raises ValueError for what is none."""
    match = _VERSION.fullmatch(text)
    if not match:
        raise ValueError(text)
    return "v" + match[1]


def read(path: Path) -> dict[str, Component]:
    """The components of one file. Raises OhmykubeError (`catalogue.unreadable`, `catalogue.invalid`)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OhmykubeError(
            "catalogue.unreadable",
            f"The catalogue {path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            hint="Check --catalogue and OHMYKUBE_CATALOGUE.",
            context={"path": path},
            exit_code=2,
        ) from error
    return dict(_parsed(path.absolute(), text))


@lru_cache(maxsize=8)
def _parsed(path: Path, text: str) -> Mapping[str, Component]:
    """A run asks many times for what has not changed."""
    return _File(path).components(text)


class _File:
    """One file while it is read; `path` is for messages and for relative URLs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def components(self, text: str) -> dict[str, Component]:
        try:
            root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            self._refuse(error.problem_mark, "", str(error.problem))
        except yaml.YAMLError as error:  # a character that YAML does not allow has no mark
            self._refuse(None, "", str(error))
        if root is None:
            return {}
        top = self._mapping(root, "", {"components": lambda node, at: self._named(node, at)})
        return dict(top.get("components", {}))

    def _named(self, node: yaml.Node, at: str) -> dict[str, Component]:
        components = {}
        for key, value in self._items(node, at):
            if not _COMPONENT.fullmatch(key.value):
                self._refuse(key.start_mark, at, f"{key.value!r} is no component name (lower case, digits, - . _)")
            components[key.value] = self._component(value, f"{at}.{key.value}")
        return components

    def _component(self, node: yaml.Node, at: str) -> Component:
        values = self._mapping(
            node,
            at,
            {
                **self._source_keys(),
                "family": self._text,
                "default": self._version,
                "arch_names": self._texts,
                "versions": self._versions,
            },
        )
        own = {key: values.pop(key) for key in ("family", "default", "arch_names", "versions") if key in values}
        return Component(source=Source(**values), **own)

    def _versions(self, node: yaml.Node, at: str) -> dict[str, dict[str, Source]]:
        versions = {}
        for key, value in self._items(node, at):
            version = self._version(key, at)
            here = f"{at}.{key.value}"
            entries = self._mapping(value, here, {**dict.fromkeys(ARCHITECTURES, self._source), "images": self._list})
            images = entries.pop("images", None)
            versions[version] = {arch: source.over(Source(images=images)) for arch, source in entries.items()}
        return versions

    def _source(self, node: yaml.Node, at: str) -> Source:
        """`{url: …, sha256: …}`, or the bare sum."""
        if isinstance(node, yaml.ScalarNode):
            kind = "sha512" if len(self._text(node, at)) == _DIGITS["sha512"] else "sha256"
            return Source(**{kind: self._sum(node, at, kind)})
        sums = {kind: partial(self._sum, kind=kind) for kind in _DIGITS}
        source = Source(**self._mapping(node, at, {**self._source_keys(), **sums}))
        if source.sha256 and source.sha512:
            self._refuse(node.start_mark, at, "one sum is enough: sha256 or sha512")
        return source

    def _source_keys(self) -> dict[str, Callable[[yaml.Node, str], object]]:
        return {
            "url": self._url,
            "checksum_url": self._url,
            "format": self._format,
            "members": self._texts,
            "mode": self._mode,
            "images": self._list,
        }

    def _url(self, node: yaml.Node, at: str) -> str:
        url = self._text(node, at)
        try:
            parts = urlsplit(url)
        except ValueError:  # half an IPv6 address
            parts = urlsplit("")
        if parts.scheme == "file":
            if parts.netloc not in ("", "localhost"):
                self._refuse(
                    node.start_mark,
                    at,
                    f"{without_login(url)!r} names a host; write file:relative/path or file:///path",
                )
            return "file://" + quote(str(self._path.parent / unquote(parts.path)), safe="/{}")
        if not url.startswith("{url}") and (parts.scheme not in ("http", "https") or not parts.netloc):
            self._refuse(node.start_mark, at, f"{without_login(url)!r} is no http:, https: or file: URL")
        return url

    def _format(self, node: yaml.Node, at: str) -> str:
        text = self._text(node, at)
        text = {"tgz": "tar.gz"}.get(text, text)
        if text not in FORMATS:
            self._refuse(node.start_mark, at, f"unknown format {text!r}{_near(text, FORMATS)}")
        return text

    def _mode(self, node: yaml.Node, at: str) -> int:
        text = self._text(node, at)
        if not re.fullmatch(r"0?[0-7]{3}", text):
            self._refuse(node.start_mark, at, f"{text!r} is no file mode such as 0755")
        return int(text, 8)

    def _version(self, node: yaml.Node, at: str) -> str:
        text = self._text(node, at)
        try:
            return normal_version(text)
        except ValueError:
            self._refuse(node.start_mark, at, f"{text!r} is no version such as v1.36.4")

    def _sum(self, node: yaml.Node, at: str, kind: str) -> str:
        text = self._text(node, at).lower()
        if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS[kind]}}}", text):
            self._refuse(node.start_mark, at, f"a {kind} sum has {_DIGITS[kind]} hexadecimal digits")
        return text

    def _texts(self, node: yaml.Node, at: str) -> dict[str, str]:
        return {key.value: self._text(value, f"{at}.{key.value}") for key, value in self._items(node, at)}

    def _list(self, node: yaml.Node, at: str) -> tuple[str, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self._refuse(node.start_mark, at, "must be a list")
        return tuple(self._text(item, at) for item in node.value)

    def _text(self, node: yaml.Node, at: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self._refuse(node.start_mark, at, "must be text")
        return str(node.value)

    def _mapping(self, node: yaml.Node, at: str, keys: Mapping[str, Callable[[yaml.Node, str], T]]) -> dict[str, T]:
        """Each value read by its key's reader; an unknown key is an error with the nearest known one."""
        values: dict[str, T] = {}
        for key, value in self._items(node, at):
            if key.value not in keys:
                self._refuse(key.start_mark, at, f"unknown key {key.value!r}{_near(key.value, keys)}")
            values[key.value] = keys[key.value](value, f"{at}.{key.value}".lstrip("."))
        return values

    def _items(self, node: yaml.Node, at: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node.start_mark, at, "must be a mapping")
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key.start_mark, at, "a key must be text")
            if key.value in seen:
                self._refuse(key.start_mark, at, f"{key.value!r} appears twice")
            seen.add(key.value)
        return list(node.value)

    def _refuse(self, mark: yaml.Mark | None, at: str, problem: str) -> NoReturn:
        place = f"{self._path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self._path)
        raise OhmykubeError(
            "catalogue.invalid",
            f"{place}: {at + ': ' if at else ''}{problem}.",
            hint="A catalogue has the form components → name → versions → v1.2.3 → amd64 → {url, sha256}.",
            context={"path": self._path, "key": at},
            exit_code=2,
        )


def _near(word: str, known: object) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)  # type: ignore[call-overload]
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"  # type: ignore[arg-type]
