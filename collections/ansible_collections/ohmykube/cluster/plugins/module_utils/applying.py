# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Server-side apply that knows what it changed, and what it need not send.

An object that was applied has the sum of its manifest with it. Where that is the manifest's still, and the object has
all that the manifest says, applying it again would change nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, with_file

MANAGER = "ohmykube"
APPLIED = "ohmykube.dev/applied"  # annotation: the sum of the manifest
_SEPARATOR = re.compile(r"^---$", re.MULTILINE)
_NOT_YET = ("no matches for kind", "resource mapping not found", 'namespaces "')
_APPLY_TIMEOUT = 120  # seconds for one call of kubectl with all manifests

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _File:
    """items: the objects of the file; None where it is not ours, but YAML, which a node has nothing to read with."""

    path: str
    items: Sequence[dict[str, Any]] | None


@dataclass(frozen=True)
class _Seen:
    """objects: those of a file that exist already; of a kind that the API does not know there are none.

    problem: why the API could not be asked for all of it; empty where it knows every kind.
    """

    objects: list[dict[str, Any]]
    problem: str


def apply(kubectl: Kubectl, text: str, *, timeout: float, dry_run: bool, validate: bool = True) -> list[str]:
    """Apply a YAML text; the objects that changed, as `kind/namespace/name`.

    validate: whether a field that the API does not know is an error; kubectl reads the API's description for it.

    The API server writes the time of a manager's last change into managedFields, and leaves it when nothing changes: a
    status that others write at the same time does not count. timeout: seconds to try again while the API is starting.
    """
    if dry_run:
        return _with(text, lambda file: _predict(kubectl, file, validate))
    return _with(text, lambda file: patiently(lambda: _apply(kubectl, file, validate, dry_run=False), timeout=timeout))


def apply_in_order(
    kubectl: Kubectl, texts: Sequence[str], *, timeout: float, dry_run: bool, validate: bool = True
) -> list[str]:
    """As `apply`: all at once where the API knows every kind, else in order: one may bring the kinds of the next."""
    whole = "\n---\n".join(texts)
    if dry_run or len(texts) == 1:
        return apply(kubectl, whole, timeout=timeout, dry_run=dry_run, validate=validate)

    def at_once(file: _File) -> list[str] | None:
        seen = _look(kubectl, file)
        return None if seen.problem else _apply(kubectl, file, validate, dry_run=False, seen=seen)

    def when_known(file: _File) -> list[str]:
        """All of it or nothing: a webhook that comes with the first objects would refuse them in a second try."""
        seen = _look(kubectl, file)
        if seen.problem:
            raise kubectl.failed("get", seen.problem)
        return _apply(kubectl, file, validate, dry_run=False, seen=seen)

    changes = _with(whole, lambda file: patiently(lambda: at_once(file), timeout=timeout))
    if changes is not None:
        return changes
    changes = apply(kubectl, texts[0], timeout=timeout, dry_run=False, validate=validate)
    for text in texts[1:]:
        changes += _with(text, lambda file: patiently(lambda: when_known(file), timeout=timeout))
    return changes


def _with(text: str, use: Callable[[_File], Answer]) -> Answer:
    try:
        items = [_marked(json.loads(part)) for part in _SEPARATOR.split(text) if part.strip()]
    except (ValueError, LookupError, TypeError):  # no JSON, or no object with a name
        return with_file(text, lambda path: use(_File(path, None)))
    marked = "".join(f"---\n{json.dumps(item)}\n" for item in items)
    return with_file(marked, lambda path: use(_File(path, items)))


def _marked(item: dict[str, Any]) -> dict[str, Any]:
    """With its sum, unless that would tell of something secret. LookupError where it has no name."""
    named(item)
    if item["kind"] == "Secret" and ("data" in item or "stringData" in item):
        return item
    mark = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:32]
    metadata = item["metadata"]
    return {**item, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), APPLIED: mark}}}


def _applied(there: Any, wanted: Mapping[str, Any]) -> bool:
    return APPLIED in (wanted["metadata"].get("annotations") or {}) and has_all(there, wanted)


def has_all(there: Any, wanted: Any) -> bool:
    """Whether what is there says all that is wanted; it may say more. Doubts count as no: then it is applied.

    The API leaves out what is empty or zero.
    """
    if there is None:
        return not wanted
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(has_all(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and len(there) == len(wanted) and all(map(has_all, there, wanted))
    return bool(wanted is None or there == wanted)


def _predict(kubectl: Kubectl, file: _File, validate: bool) -> list[str]:
    """What would change. The API server cannot say so of a cluster, a kind or a namespace that is yet to be made."""
    if not kubectl.configured():
        return ["all objects, in a cluster that is yet to be made"]
    try:
        return _apply(kubectl, file, validate, dry_run=True)
    except OhmykubeError as error:
        if any(words in error.context.get("output", "") for words in _NOT_YET):
            return ["objects of a kind, or in a namespace, that is yet to be made"]
        raise


def _apply(kubectl: Kubectl, file: _File, validate: bool, *, dry_run: bool, seen: _Seen | None = None) -> list[str]:
    there = {named(item): item for item in (seen or _look(kubectl, file)).objects}
    if file.items is not None and all(_applied(there.get(named(item)), item) for item in file.items):
        return []
    before = {name: _stamp(item) for name, item in there.items()}
    words = ["apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", f"--filename={file.path}"]
    words += ["--show-managed-fields", *(["--dry-run=server"] if dry_run else [])]
    words += [] if validate else ["--validate=ignore"]
    after = listed(kubectl.text(*words, "--output=json", timeout=_APPLY_TIMEOUT))
    return [named(item) for item in after if before.get(named(item)) != _stamp(item)]


def _look(kubectl: Kubectl, file: _File) -> _Seen:
    done = kubectl.run(
        "get", f"--filename={file.path}", "--ignore-not-found", "--show-managed-fields", "--output=json", timeout=60
    )
    return _Seen(listed(done.stdout), (done.stderr.strip() or "no answer") if done.code else "")


def listed(output: str) -> list[dict[str, Any]]:
    """kubectl prints one object, a List, or several objects after one another."""
    decoder, position, found = json.JSONDecoder(), 0, []
    text = output.strip()
    while position < len(text):
        item, end = decoder.raw_decode(text, position)
        found += item["items"] if item.get("kind") == "List" else [item]
        position = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def named(item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return "/".join(part for part in (item["kind"], metadata.get("namespace", ""), metadata["name"]) if part)


def _stamp(item: Mapping[str, Any]) -> str:
    fields = item["metadata"].get("managedFields", [])
    return next((entry.get("time", "") for entry in fields if entry["manager"] == MANAGER), "")
