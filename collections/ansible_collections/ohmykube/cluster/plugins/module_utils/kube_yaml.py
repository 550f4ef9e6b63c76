# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""YAML as Kubernetes reads and we write it: fast, and plain text where PyYAML would make more of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

# What YAML 1.1 makes of `=` (CRDs with matchers have it among their choices) and of a date.
_TEXTS = ("tag:yaml.org,2002:value", "tag:yaml.org,2002:timestamp")
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Its own class, since constructors are registered on one."""


for _tag in _TEXTS:
    _Loader.add_constructor(_tag, _Loader.construct_scalar)


def documents(text: str) -> Iterator[Any]:
    """Those that are not empty. Raises yaml.YAMLError."""
    return filter(None, yaml.load_all(text, Loader=_Loader))


def manifest(items: Iterable[Any]) -> str:
    """For kubectl, and for who has only JSON: an object is a line of it between separators of YAML."""
    return "".join(f"---\n{json.dumps(item)}\n" for item in items)


def text(items: Iterable[Any]) -> str:
    return str(yaml.dump_all(items, Dumper=_DUMPER, sort_keys=False))
