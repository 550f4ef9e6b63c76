"""Where each value of a complete cluster file comes from, and the file with that beside each value. Pure."""

from collections.abc import Iterator
from typing import Any

import yaml

from ohmykube.model.document import Document, Path
from ohmykube.model.load import DEFAULT
from ohmykube.model.spec import Cluster

_WIDTH = 2**20  # characters a line: one value, one line
_COLUMN = 48  # where comments begin, unless lines are longer


def complete(cluster: Cluster) -> dict[str, Any]:
    """The file as `up` could be given it: without what was read of other files."""
    spec = (data := cluster.as_data())["spec"]
    del spec["kubeadm"]["read"]
    for addon in spec["addons"]:
        del addon["files"]
    for part in (spec, spec["controlPlane"], *spec["workers"], *spec["hosts"]):
        for each in (*part["files"], *(hook for hooks in part["hooks"].values() for hook in hooks)):
            del each["sum"]
    return data


def origins(cluster: Cluster, layers: Document, stored: str = "") -> dict[Path, str]:
    """By path, for each value: `default`, `dev.yaml:12`, `OHMYKUBE_WORKERS`, `--workers`.

    stored: name of the file of a cluster that is there. It was written complete, so that a value of it which is the
    default may as well have come from there.
    """
    usual = _defaults(cluster)
    found = {}
    for path, value in _leaves(complete(cluster), ()):
        origin = layers.origin(path) if _given(layers, path) else DEFAULT
        if stored and origin.startswith(f"{stored}:") and _at(usual, _of_any_group(path)) == value:
            origin = DEFAULT
        found[path] = origin or DEFAULT
    return found


def annotated(data: dict[str, Any], notes: dict[Path, str]) -> str:
    """As YAML, with a note as a comment behind each value that has one."""
    text = yaml.safe_dump(data, sort_keys=False, width=_WIDTH)
    lines = text.splitlines()
    root = yaml.compose(text)
    known = {line: notes[path] for path, line in _lines(root, ()) if path in notes} if root else {}
    column = max(_COLUMN, *(len(lines[line]) + 2 for line in known)) if known else 0
    return "".join(
        f"{line.ljust(column)}# {known[number]}\n" if number in known else f"{line}\n"
        for number, line in enumerate(lines)
    )


def _given(layers: Document, path: Path) -> bool:
    """Whether somebody wrote the value, or a whole that it is part of and that is not a mapping."""
    here: Any = layers.data
    for key in path:
        if isinstance(here, dict):
            if key not in here:
                return False
            here = here[key]
        elif isinstance(here, list):
            if int(key) >= len(here):
                return False
            here = here[int(key)]
    return True


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not value or not isinstance(value, dict | list):
        yield path, value
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    """Values that stand on one line, and on which one."""
    if isinstance(node, yaml.ScalarNode) or not node.value:
        if node.start_mark.line == node.end_mark.line:
            yield path, node.start_mark.line
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value))
    else:
        for index, item in enumerate(node.value):
            yield from _lines(item, (*path, index))


def _defaults(cluster: Cluster) -> dict[str, Any]:
    spec = {"kubernetesVersion": cluster.spec.kubernetes_version, "provider": cluster.spec.provider}
    usual = Cluster.model_validate(
        {"apiVersion": cluster.api_version, "kind": cluster.kind, "metadata": {"name": cluster.name}, "spec": spec}
    ).as_data()
    usual.pop("metadata")
    for key in spec:  # they depend on the computer
        usual["spec"].pop(key)
    return usual


def _of_any_group(path: Path) -> Path:
    """All groups of workers have the defaults of the first one, but for name and count."""
    later = path[:2] == ("spec", "workers") and len(path) > 3 and path[2] != 0 and path[3] not in ("name", "count")
    return (*path[:2], 0, *path[3:]) if later else path


def _at(data: Any, path: Path) -> Any:
    for key in path:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return _NOWHERE
    return data


_NOWHERE = object()
