"""From layers to one validated cluster: defaults < file < environment < flags. Every problem is reported at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model import validate
from ohmykube.model.document import Document, Path, merge, nearest
from ohmykube.model.problem import Problem
from ohmykube.model.spec import API_VERSION, Cluster

# In the words of YAML, by pydantic's type of the error.
_WORDS = {
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type"), "must be a mapping"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "string_type": "must be text",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
}


@dataclass(frozen=True)
class Given:
    """One value from a flag or the environment. `name` is how the user wrote it: `--workers`, `OHMYKUBE_WORKERS`."""

    path: Path
    value: Any
    name: str


DEFAULT = "default"  # where a value comes from that nobody gave
# The path of a flag that speaks of "the workers" while the file may list several groups of them.
WORKERS: Path = ("spec", "workers", "*")


def build(
    name: str,
    *,
    document: Document | None,
    given: tuple[Given, ...] = (),
    defaults: Mapping[Path, Any],
    supported_versions: tuple[str, ...],
) -> Cluster:
    """The cluster that the layers describe: `layers`, and then `validated`."""
    return validated(layers(name, document=document, given=given, defaults=defaults), supported_versions)


def layers(
    name: str,
    *,
    document: Document | None,
    given: tuple[Given, ...] = (),
    defaults: Mapping[Path, Any],
    name_from: str = "--name",
) -> Document:
    """All layers as one document, in which each value knows where it comes from.

    name: wins over the file's metadata.name where it is not empty. name_from: who says so. defaults: values that depend
    on this computer (`spec.provider`, `spec.kubernetesVersion`). Raises OhmykubeError with exit code 2.
    """
    base = Document({"apiVersion": API_VERSION, "kind": "Cluster", "metadata": {}, "spec": {}})
    for path, value in defaults.items():
        base.set(path, value, DEFAULT)
    merged = base if document is None else merge(base, document)
    for key in ("metadata", "spec"):
        if not isinstance(merged.data.get(key), dict):
            raise _problem(merged, (key,), "must be a mapping")
    if name:
        merged.set(("metadata", "name"), name, name_from)
    for item in given:
        _apply(merged, item)
    if "name" not in merged.data["metadata"]:
        merged.set(("metadata", "name"), "ohmykube", DEFAULT)
    return merged


def validated(
    document: Document,
    supported_versions: tuple[str, ...],
    complete: Callable[[Cluster, list[Problem]], Cluster] = lambda cluster, _: cluster,
) -> Cluster:
    """The cluster. complete: fills in what lies beside the cluster file, and adds to the problems.

    Raises OhmykubeError with exit code 2, or a group of them: every problem there is.
    """
    try:
        cluster = Cluster.model_validate(document.data)
    except ValidationError as error:
        raise_all([_translate(document, problem) for problem in error.errors(include_url=False)])
        raise  # not reached: a ValidationError names at least one problem
    problems = validate.check(cluster, supported_versions)
    cluster = complete(cluster, problems)
    raise_all([_problem(document, found.path, found.words, found.hint) for found in problems])
    return cluster


def _apply(document: Document, item: Given) -> None:
    if item.path[:3] != WORKERS:
        document.set(item.path, item.value, item.name)
        return
    groups = document.data["spec"].setdefault("workers", [{"name": "worker", "count": 2}])
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        return  # the validation says so, with the place
    named = [index for index, group in enumerate(groups) if len(groups) == 1 or group.get("name") == "worker"]
    if len(named) != 1:
        raise OhmykubeError(
            "spec.ambiguous",
            f"{item.name} speaks of the workers, but the file lists {len(groups)} groups and none is called 'worker'",
            hint="change the group in the file instead",
            exit_code=2,
        )
    document.set((*WORKERS[:2], named[0], *item.path[3:]), item.value, item.name)


def _translate(document: Document, problem: Any) -> OhmykubeError:
    path = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return _problem(document, path, "is no known key", nearest(str(path[-1]), _known_keys(path[:-1])))
    if problem["type"] == "missing":
        return _problem(document, path, "is missing")
    words = _WORDS.get(problem["type"], "").format(**problem.get("ctx", {}))
    words = words or str(problem["msg"]).removeprefix("Value error, ")
    quotes = problem["type"] == "string_type" and isinstance(problem["input"], int | float)
    hint = f'with quotes it is one: "{problem["input"]}"' if quotes else ""
    return _problem(document, path, words[:1].lower() + words[1:], hint)


def _problem(document: Document, path: Path, words: str, hint: str = "") -> OhmykubeError:
    where = ".".join(str(part) for part in path).replace("spec.spec.", "spec.") or "the file"
    origin = document.origin(path)
    place = f" ({origin})" if origin and origin != DEFAULT else ""
    code = "name.invalid" if path == ("metadata", "name") else "spec.invalid"
    return OhmykubeError(
        code, f"{where}: {words}{place}", hint=hint, context={"path": where, "origin": origin}, exit_code=2
    )


def _known_keys(path: Path) -> list[str]:
    """The keys that the model knows at `path`."""
    model: Any = Cluster
    for part in path:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part not in fields:  # an index of a list, or the user's own key of a mapping: its model is that of the items
            continue
        model = next(
            (arg for arg in _types(fields[part].annotation) if isinstance(arg, type) and issubclass(arg, BaseModel)),
            None,
        )
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _types(annotation: Any) -> list[Any]:
    inner = [found for arg in getattr(annotation, "__args__", ()) for found in _types(arg)]
    return [annotation, *inner]
