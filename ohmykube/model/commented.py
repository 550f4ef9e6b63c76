"""A cluster as a file for people: each key with what it does, taken from the model's descriptions. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from ohmykube.model.custom import Hook, Hooks, NodeFile
from ohmykube.model.spec import AddonWish, Cluster, Group, Host, Kubeadm, Registry, Ssh

_WIDTH = 2**20  # characters a line: one value, one line
_COLUMN = 34  # where comments begin, unless a line reaches further
_FARTHEST = 48  # and then they stand above it
# Keys that few need: with their defaults they are comments.
_ASIDE = frozenset(
    {"disks", "labels", "annotations", "taints", "hooks", "files", "addons", "vars", "kubeadm", "registries"}
)
_STATIC_ONLY = frozenset({"hosts", "ssh"})
_NOT_STATIC = frozenset({"template", "controlPlane", "workers"})
_SPARSE = (AddonWish, Hook, Hooks, NodeFile, Kubeadm, Registry, Ssh)  # here only what is said is written
_FIRST = ("name", "path")


@dataclass(frozen=True)
class _Line:
    text: str
    comment: str = ""


def text(cluster: Cluster, file: str) -> str:
    """The whole file; loaded again, it is this cluster. file: the name that it will have."""
    static = cluster.spec.provider == "static"
    lines = list(_keys(cluster, "", _NOT_STATIC if static else _STATIC_ONLY))
    widths = [len(line.text) + 2 for line in lines if line.comment and "\n" not in line.text]
    column = max([_COLUMN, *(width for width in widths if width <= _FARTHEST)])
    head = [
        f"# `ohmykube up -f {file}` makes this cluster. After a change, say it again:",
        f"# the cluster follows where it can; `ohmykube plan -f {file}` tells what would be done.",
        "# Keys behind a # show their default.",
    ]
    return "\n".join([*head, *(each for line in lines for each in _written(line, column))]) + "\n"


def _written(line: _Line, column: int) -> Iterator[str]:
    if not line.comment:
        yield line.text
    elif len(line.text) + 2 <= column and "\n" not in line.text:
        yield f"{line.text.ljust(column)}# {line.comment}"
    else:
        indent = len(line.text) - len(line.text.lstrip(" -"))
        yield f"{' ' * indent}# {line.comment}"
        yield line.text


def _keys(part: BaseModel, indent: str, hidden: frozenset[str] = frozenset()) -> Iterator[_Line]:
    """hidden: keys of the spec that its provider has no use for, left out where they say nothing."""
    data = part.model_dump(by_alias=True, mode="json")
    fields = {field.alias or name: (name, field) for name, field in type(part).model_fields.items()}
    for key in sorted(fields, key=lambda key: key not in _FIRST):
        name, field = fields[key]
        value, comment = getattr(part, name), field.description
        usual = value == field.get_default()
        if not comment:  # ohmykube fills it in, whatever a file says
            continue
        if usual and (key in hidden or key == "absent" or isinstance(part, _SPARSE)):
            continue
        if usual and key in _ASIDE:
            yield _Line(f"{indent}# {key}: {'[]' if isinstance(value, tuple) else '{}'}", comment)
        elif isinstance(value, BaseModel):
            yield _Line(f"{indent}{key}:", comment)
            yield from _keys(value, f"{indent}  ", hidden)
        elif isinstance(value, tuple) and value and isinstance(value[0], AddonWish | Group | Host | Hook | NodeFile):
            yield _Line(f"{indent}{key}:", comment)
            for item in value:
                yield from _item(item, f"{indent}  ")
        else:
            yield _Line(_dumped(key, data[key], indent), comment)


def _item(item: BaseModel, indent: str) -> Iterator[_Line]:
    first, *others = _keys(item, f"{indent}  ")
    yield _Line(f"{indent}- {first.text.lstrip()}", first.comment)
    yield from others


class _Dumper(yaml.SafeDumper):
    """Text of several lines as such, unless its ends would need marks of their own."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    as_such = "\n" in value and not value[0].isspace() and not value.endswith("\n\n")
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if as_such else None)


_Dumper.add_representer(str, _text)


def _dumped(key: str, value: Any, indent: str) -> str:
    """On one line where there is room for it."""
    inner = _yaml(value, flow=True)
    short = isinstance(value, dict | list) and "\n" not in inner and len(inner) < _FARTHEST
    lines = [f"{key}: {inner}"] if short else _yaml({key: value}, flow=False).split("\n")
    return "\n".join(f"{indent}{line}" if line else "" for line in lines)


def _yaml(value: Any, *, flow: bool) -> str:
    dumped: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=_WIDTH, default_flow_style=flow)
    return dumped.removesuffix("\n")
