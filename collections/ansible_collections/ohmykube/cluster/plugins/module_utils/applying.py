# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Server-side apply that knows what it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, with_file

MANAGER = "ohmykube"
_NOT_YET = ("no matches for kind", "resource mapping not found", 'namespaces "')
_APPLY_TIMEOUT = 120  # seconds for one call of kubectl with all manifests


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
        return with_file(text, lambda path: _predict(kubectl, path, validate))
    return with_file(
        text, lambda path: patiently(lambda: _apply(kubectl, path, validate, dry_run=False), timeout=timeout)
    )


def apply_in_order(
    kubectl: Kubectl, texts: Sequence[str], *, timeout: float, dry_run: bool, validate: bool = True
) -> list[str]:
    """As `apply`: all at once where the API knows every kind, else in order: one may bring the kinds of the next."""
    whole = "\n---\n".join(texts)
    if dry_run or len(texts) == 1:
        return apply(kubectl, whole, timeout=timeout, dry_run=dry_run, validate=validate)

    def at_once(path: str) -> list[str] | None:
        seen = _look(kubectl, path)
        return None if seen.problem else _apply(kubectl, path, validate, dry_run=False, seen=seen)

    def when_known(path: str) -> list[str]:
        """All of it or nothing: a webhook that comes with the first objects would refuse them in a second try."""
        seen = _look(kubectl, path)
        if seen.problem:
            raise kubectl.failed("get", seen.problem)
        return _apply(kubectl, path, validate, dry_run=False, seen=seen)

    changes = with_file(whole, lambda path: patiently(lambda: at_once(path), timeout=timeout))
    if changes is not None:
        return changes
    changes = apply(kubectl, texts[0], timeout=timeout, dry_run=False, validate=validate)
    for text in texts[1:]:
        changes += with_file(text, lambda path: patiently(lambda: when_known(path), timeout=timeout))
    return changes


def _predict(kubectl: Kubectl, path: str, validate: bool) -> list[str]:
    """What would change. The API server cannot say so of a cluster, a kind or a namespace that is yet to be made."""
    if not kubectl.configured():
        return ["all objects, in a cluster that is yet to be made"]
    try:
        return _apply(kubectl, path, validate, dry_run=True)
    except OhmykubeError as error:
        if any(words in error.context.get("output", "") for words in _NOT_YET):
            return ["objects of a kind, or in a namespace, that is yet to be made"]
        raise


def _apply(kubectl: Kubectl, path: str, validate: bool, *, dry_run: bool, seen: _Seen | None = None) -> list[str]:
    before = {named(item): _stamp(item) for item in (seen or _look(kubectl, path)).objects}
    words = ["apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", f"--filename={path}"]
    words += ["--show-managed-fields", *(["--dry-run=server"] if dry_run else [])]
    words += [] if validate else ["--validate=ignore"]
    after = listed(kubectl.text(*words, "--output=json", timeout=_APPLY_TIMEOUT))
    return [named(item) for item in after if before.get(named(item)) != _stamp(item)]


def _look(kubectl: Kubectl, path: str) -> _Seen:
    done = kubectl.run(
        "get", f"--filename={path}", "--ignore-not-found", "--show-managed-fields", "--output=json", timeout=60
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
