# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The controller's end: what is sent to a node so that a program of the collection runs there, and what it answers.

A request is start.py, one line of JSON for it, the collection's code, and the program's own input, back to back. The
command line stays short whatever is sent. A module that Ansible sends brings ansible.module_utils with it, which the
node compiles anew each time: 0.3 s of its CPU. Code that is kept costs a tenth of that.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

PLUGINS = Path(__file__).parents[2]
PACKAGE = "ansible_collections/ohmykube/cluster/plugins"
PROGRAMS = "ansible_collections.ohmykube.cluster.plugins.module_utils"
_PROGRAMS = ("receiver.py", "remote/module.py")
_IMPORT = re.compile(
    r"^\s*from ansible_collections\.ohmykube\.cluster\.plugins\.(module_utils[\w.]*) import (\([^)]*\)|.+)$",
    re.MULTILINE,
)
_LEVEL = 5  # beyond it a percent less takes three times as long
_DOCUMENTATION = re.compile(r'^(DOCUMENTATION|EXAMPLES|RETURN) = r""".*?"""\n', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Code:
    """data: a zip archive, compressed as a whole, the same bytes for the same sources. sum: its name on a node."""

    data: bytes
    sum: str


@cache
def code() -> Code:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for source in sources():
            archive.writestr(zipfile.ZipInfo(f"{PACKAGE}/{source.relative_to(PLUGINS)}"), _sent(source))
    data = zlib.compress(written.getvalue(), _LEVEL)  # sources are much alike, and so are their paths
    return Code(data, hashlib.sha256(data).hexdigest())


def _sent(source: Path) -> str:
    """Without what documents a module, a tenth of it all: nodes do not read that."""
    text = source.read_text()
    return _DOCUMENTATION.sub("", text) if source.parent.name == "modules" else text


def sources() -> list[Path]:
    """The modules that run on nodes, the other programs, and all of ours that these import."""
    modules = [source for source in (PLUGINS / "modules").glob("*.py") if "\ndef run(" in source.read_text()]
    left, found = [*modules, *(PLUGINS / "module_utils" / name for name in _PROGRAMS)], set()
    while left:
        source = left.pop()
        if source in found or not source.is_file():
            continue
        found.add(source)
        for package, names in _IMPORT.findall(source.read_text()):
            place = PLUGINS / package.replace(".", "/")
            parts = [place / f"{name}.py" for name in re.findall(r"\w+", names)]
            left += [place.with_suffix(".py"), place / "__init__.py", *parts]
    return sorted(found)


@cache
def start() -> bytes:
    return (Path(__file__).parent / "start.py").read_bytes()


def argv(python: str = "python3") -> list[str]:
    """What runs on the node to read a request. -I: nothing of the node's environment has a say in it."""
    return [python, "-I", "-c", f"import sys; exec(sys.stdin.buffer.read({len(start())}))"]


def command(python: str = "python3") -> str:
    """The same for a shell."""
    return shlex.join(argv(python))


def request(program: str, told: Mapping[str, Any], *, keep: bool = True) -> bytes:
    """The input of `command`. program: a part of module_utils that has a `main`; told: what it reads, as one line.

    keep: leave the code on the node for the next task. Where that is not allowed it goes to a temporary folder.
    """
    head = {"program": f"{PROGRAMS}.{program}", "size": len(code().data), "sum": code().sum, "keep": keep}
    return b"".join([start(), _line(head), code().data, _line(told)])


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def answer(returncode: int, stdout: str, stderr: str) -> dict[str, Any]:
    """What the program said, or its error raised. Login banners and warnings before it do no harm."""
    for line in reversed(stdout.splitlines()):
        try:
            said = json.loads(line)
            if "error" in said:
                raise OhmykubeError(**_error(said["error"]))
            return dict(said["ok"])
        except (ValueError, KeyError, TypeError):
            continue
    words = stderr.strip()[-2000:]
    missing = returncode == 127 or "not found" in words
    raise OhmykubeError(
        "node.no-answer",
        f"the node gave no answer (exit code {returncode}): {words or 'no output'}",
        hint="python3 must be installed on the node" if missing else "run again with -vvv to see the connection",
        context={"output": words, "exit_code": returncode},
    )


def _error(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in ("code", "message", "hint", "context")}
