"""Every error code and every finding of `doctor`, read from the source: what is said, and what is told to do.

Whatever takes an argument called `code` (OhmykubeError, Finding, and helpers that make them) is called with one.
"""

import ast
import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ohmykube
from ohmykube import COLLECTIONS
from reference.markdown import plain, table

SOURCES = (Path(ohmykube.__file__).parent, COLLECTIONS / "ansible_collections/ohmykube/cluster/plugins")
_INTRODUCTION = """\
# Troubleshooting

Every error ends with its code, `[like.this]`, and a hint where there is one. Three things help with most of them:

1. The same command again. What is there already is kept, and what was begun is finished.
2. [`ohmykube doctor`](doctor.md), which looks at this computer, the caches and the cluster; with `--fix` it mends.
3. `-v` for every step, and `ohmykube logs` for one archive with all that a bug report needs.

Scripts find `code`, `message`, `hint` and `context` under `errors` of `-o json`. Codes stay; words may change.
Below, `…` stands for names and numbers, and `*` in a code for a word of several.
"""
_CODE = re.compile(r"(?=.*[a-z])[a-z*][a-z*_-]*(\.[a-z*_-]+)*")
_TEXTS = ("message", "what", "words", "outcome")
_HINTS = ("hint", "remedy")


@dataclass
class Told:
    """What is said under one code."""

    messages: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def page() -> str:
    families = defaultdict(list)
    for code, told in sorted(codes().items()):
        families[code.partition(".")[0]].append(
            [f"`{code}`", plain(" / ".join(told.messages)), plain(" / ".join(told.hints))]
        )
    lines = [_INTRODUCTION]
    for family, rows in sorted(families.items(), key=lambda each: (each[0] == "*", each)):
        lines += [f"## {'Several' if family == '*' else family}", "", *table(["code", "says", "what to do"], rows)]
    return "\n".join(lines)


@functools.cache
def codes(sources: tuple[Path, ...] = SOURCES) -> dict[str, Told]:
    modules = [ast.parse(path.read_text()) for source in sources for path in sorted(source.rglob("*.py"))]
    known = {name: names for module in modules for name, names in _takers(module) if name != "__init__"}
    found: dict[str, Told] = defaultdict(Told)
    for module in modules:
        takers = known | dict.fromkeys(_functions(module), ()) | dict(_takers(module))  # a module's own names count
        for scope, call in _calls(module, module):
            given = _given(call, takers.get(_name(call.func), ()))
            for code in _texts(given.get("code"), scope, "*"):
                told = found[code]
                told.messages += [text for text in _of(given, _TEXTS, scope) if text not in told.messages]
                told.hints += [text for text in _of(given, _HINTS, scope) if text not in told.hints]
    return {code: told for code, told in found.items() if _CODE.fullmatch(code)}


def _takers(module: ast.Module) -> Iterator[tuple[str, Sequence[str]]]:
    """Functions and classes that take a `code`, with the names of what they take, in order."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            fields = [
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ]
            made = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            names = [arg.arg for arg in made[0].args.args[1:]] if made else fields
        elif isinstance(node, ast.FunctionDef):
            names = [arg.arg for arg in node.args.args if arg.arg != "self"]
        else:
            continue
        if "code" in names and node.name not in ("ok", "unknown", "Check"):  # what is well, and names of looks
            yield node.name, names


def _functions(module: ast.Module) -> Iterator[str]:
    return (node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef))


def _calls(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield scope, child
        yield from _calls(child, child if isinstance(child, ast.FunctionDef) else scope)


def _given(call: ast.Call, names: Sequence[str]) -> dict[str, ast.expr]:
    if not names:
        return {}
    return dict(zip(names, call.args, strict=False)) | {word.arg: word.value for word in call.keywords if word.arg}


def _of(given: dict[str, ast.expr], names: Sequence[str], scope: ast.AST) -> list[str]:
    texts = [text for name in names for text in _texts(given.get(name), scope, "…")]
    return [re.sub(r"…(\s*…)+", "…", text) for text in texts if re.search(r"\w", text)]


def _texts(node: ast.AST | None, scope: ast.AST, blank: str) -> list[str]:
    """The texts that an expression may have, with `blank` for what is only known later."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        parts = [
            [part.value] if isinstance(part, ast.Constant) else _filled(part, scope, blank) for part in node.values
        ]
        return ["".join(map(str, words)) for words in itertools.product(*parts)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body, scope, blank) + _texts(node.orelse, scope, blank)
    if isinstance(node, ast.Name):
        before = [each for each in _assignments(scope) if node.id in _named(each) and each.lineno < node.lineno]
        nearest = max(before, key=lambda each: each.lineno, default=None)
        return _texts(nearest.value, scope, blank) if nearest else []
    return []


def _filled(part: ast.expr, scope: ast.AST, blank: str) -> list[str]:
    """Both words of `{'ended' if ended else 'ends'}`; other fields are blank."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    return (_texts(value, scope, blank) if isinstance(value, ast.IfExp) and blank == "*" else []) or [blank]


@functools.cache
def _assignments(scope: ast.AST) -> list[ast.Assign]:
    return [node for node in ast.walk(scope) if isinstance(node, ast.Assign)]


def _named(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _name(node: ast.expr) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))
