"""A page for each role, from its argument specification and its README."""

from pathlib import Path

import yaml

from ohmykube import COLLECTIONS
from reference.markdown import ansible, options, table

COLLECTION = COLLECTIONS / "ansible_collections/ohmykube/cluster"


def pages() -> dict[str, str]:
    specs = {path.parts[-3]: path for path in sorted(COLLECTION.glob("roles/*/meta/argument_specs.yml"))}
    made = {f"reference/roles/{name}.md": _page(path) for name, path in specs.items()}
    entries = [f"* [{name}]({name}.md): {_specs(path)['main']['short_description']}." for name, path in specs.items()]
    made["reference/roles/index.md"] = "\n".join(["# Roles of ohmykube.cluster", "", *entries, ""])
    return made


def _specs(path: Path) -> dict[str, dict[str, object]]:
    return dict(yaml.safe_load(path.read_text())["argument_specs"])


def _page(path: Path) -> str:
    lines = [(path.parents[1] / "README.md").read_text()]
    for entry, spec in _specs(path).items():
        lines += ["## Variables" if entry == "main" else f"## Variables of `tasks_from: {entry}`", ""]
        lines += [ansible(spec.get("description") or spec["short_description"]), ""]
        lines += table(["variable", "type", "default", ""], options(spec.get("options") or {}, "options"))
    return "\n".join(lines)
