"""A page for each module and plug-in, from what ansible-doc reads."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ohmykube import COLLECTIONS
from reference.markdown import ansible, fenced, options, table
from reference.roles import COLLECTION

TITLES = {"module": "Modules", "filter": "Filters", "lookup": "Lookups", "inventory": "Inventory plug-ins"}


def pages() -> dict[str, str]:
    made, index = {}, ["# Modules and plug-ins of ohmykube.cluster", ""]
    for kind, found in documented().items():
        index += [f"## {TITLES[kind]}", ""]
        for name, documentation in sorted(found.items()):
            short = name.rpartition(".")[2]
            made[f"reference/plugins/{kind}-{short}.md"] = "\n".join(_lines(name, documentation))
            index.append(f"* [{short}]({kind}-{short}.md): {ansible(documentation['doc']['short_description'])}.")
        index.append("")
    made["reference/plugins/index.md"] = "\n".join(index)
    return made


def documented() -> dict[str, dict[str, Any]]:
    """What ansible-doc says, by kind and full name; the kinds are asked for side by side."""
    program = Path(sys.executable).with_name("ansible-doc")
    variables = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "NO_COLOR": "1"}
    asked = {
        kind: subprocess.Popen(
            [str(program), "--json", "--type", kind, *_names(kind)],
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind in TITLES
    }
    answers = {kind: process.communicate(timeout=60)[0] for kind, process in asked.items()}
    failed = [kind for kind, process in asked.items() if process.returncode]
    if failed:
        raise RuntimeError(f"ansible-doc cannot read: {', '.join(failed)}")
    return {kind: json.loads(answer) for kind, answer in answers.items()}


def _names(kind: str) -> list[str]:
    folder = COLLECTION / "plugins" / ("modules" if kind == "module" else kind)
    return [f"ohmykube.cluster.{path.stem}" for path in sorted(folder.glob("*.py"))]


def _lines(name: str, documentation: Mapping[str, Any]) -> Iterator[str]:
    about = documentation["doc"]
    yield f"# {name}\n\n{ansible(about['short_description'])}.\n"
    text = about["description"]
    for paragraph in [text] if isinstance(text, str) else text:
        yield f"{ansible(paragraph)}\n"
    if about.get("options"):
        yield "## Options\n"
        yield from table(["option", "type", "default", ""], options(about["options"], "suboptions"))
    if about.get("attributes"):
        yield "## Attributes\n"
        rows = [
            [f"`{key}`", each["support"], ansible(" ".join([*_list(each["description"]), *_list(each.get("details"))]))]
            for key, each in about["attributes"].items()
        ]
        yield from table(["attribute", "support", ""], rows)
    if documentation.get("examples"):
        yield "## Example\n"
        yield from fenced(documentation["examples"], "yaml")
    if documentation.get("return"):
        yield "## What it returns\n"
        yield from table(["key", "type", "", ""], _returned(documentation["return"]))


def _returned(keys: Mapping[str, Mapping[str, Any]], prefix: str = "") -> Iterator[list[str]]:
    for key, spec in keys.items():
        yield [f"`{prefix}{key}`", spec.get("type", ""), spec.get("returned", ""), ansible(spec["description"])]
        yield from _returned(spec.get("contains") or {}, f"{prefix}{key}.")


def _list(text: Any) -> list[str]:
    return [] if not text else [text] if isinstance(text, str) else list(text)
