"""The cluster file, from its JSON Schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from ohmykube.model.schema import schema
from reference.markdown import plain, table, value

_INTRODUCTION = """\
`ohmykube config schema` prints the same for editors. Every key may be missing, unless it is required. Unknown keys are
errors. Sizes are written `4GiB`, `4Gi` or `4096MiB`; a bare number for memory and disk is GB.
"""


def page() -> str:
    made = schema()
    lines = [f"# {made['title']}", "", _INTRODUCTION, *_part("Cluster", made)]
    for name, part in made["$defs"].items():
        lines += [f"## {name}", "", *_part(name, part)]
    return "\n".join(lines)


def _part(name: str, part: Mapping[str, Any]) -> list[str]:
    about = [plain(part["description"]), ""] if "description" in part and name != "Cluster" else []
    return [*about, *table(["key", "type", "default", ""], _rows(part))]


def _rows(part: Mapping[str, Any]) -> Iterator[list[str]]:
    for key, field in part["properties"].items():
        default = field.get("default")
        told = "" if default in (None, "", [], {}) or isinstance(default, dict) else f"`{value(default)}`"
        about = plain(field.get("description", ""))
        yield [f"`{key}`", _type(field), "required" if key in part.get("required", ()) else told, about]


def _type(field: Mapping[str, Any]) -> str:
    """A type in words: `3 to 7`, a list of links to other parts."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in field:
            return " or ".join(_type(each) for each in field[key])
    if "const" in field or "enum" in field:
        return ", ".join(f"`{each}`" for each in field.get("enum", [field.get("const")]))
    kind = field.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'])}"
    if "pattern" in field:
        words += f" like `{field['pattern']}`"
    limits = [f"{word} {field[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in field]
    return " ".join([words, *limits])
