"""What the generators share."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return [*lines, ""] if len(lines) > 2 else []


def fenced(text: str, language: str = "text") -> list[str]:
    return [f"```{language}", *text.strip("\n").splitlines(), "```", ""]


def plain(text: str) -> str:
    """Words that are not Markdown yet: what would be markup is shown as it is, but for code in backticks."""
    parts = text.split("`")
    closed = len(parts) % 2
    for index in range(0, len(parts), 2 if closed else 1):
        parts[index] = re.sub(r"([\\*_<>\[\]])", r"\\\1", parts[index])
    return ("`" if closed else "\\`").join(parts)


def ansible(text: str | Sequence[str]) -> str:
    """Ansible's own markup as Markdown."""
    words = text if isinstance(text, str) else " ".join(text)
    words = re.sub(r"P\((.+?)#\w+\)", r"`\1`", words)
    words = re.sub(r"[CVEO]\((.+?)\)(?![)`])", r"`\1`", words)
    words = re.sub(r"B\((.+?)\)", r"**\1**", re.sub(r"I\((.+?)\)", r"*\1*", words))
    words = re.sub(r"L\((.+?), *(.+?)\)", r"[\1](\2)", re.sub(r"U\((.+?)\)", r"<\1>", words))
    return re.sub(r"M\((.+?)\)|R\((.+?),.+?\)", lambda found: f"`{found[1] or found[2]}`", words)


def options(specs: Mapping[str, Mapping[str, Any]], below: str, prefix: str = "") -> Iterable[list[str]]:
    """A row for each option, and for those within it (its key `below`)."""
    for name, spec in specs.items():
        kind = spec.get("type", "str") + (f" of {spec['elements']}" if "elements" in spec else "")
        if "choices" in spec:
            kind += ": " + ", ".join(f"`{value(choice)}`" for choice in spec["choices"])
        default = "required" if spec.get("required") else f"`{value(spec['default'])}`" if "default" in spec else ""
        yield [f"`{prefix}{name}`", kind, default, ansible(spec.get("description", ""))]
        yield from options(spec.get(below) or {}, below, f"{prefix}{name}.")


def value(data: Any) -> str:
    return yaml.safe_dump(data, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(_cell(cell).split()) for cell in cells) + " |"


def _cell(text: str) -> str:
    """A bar ends a cell, but for one in code, where a backslash would be seen."""
    return "`".join(part if index % 2 else part.replace("|", "\\|") for index, part in enumerate(text.split("`")))
