# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Server-side apply that knows what it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, with_file

MANAGER = "ohmykube"
_NOT_YET = ("no matches for kind", "resource mapping not found", 'namespaces "')
_APPLY_TIMEOUT = 120  # seconds for one call of kubectl with all manifests


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
    """As `apply`: one text after another where one may bring what the next is of, else all of them at once."""
    whole = "\n---\n".join(texts)
    if len(texts) > 1 and not dry_run and not with_file(whole, lambda path: _kinds_are_known(kubectl, path)):
        return [
            change
            for text in texts
            for change in apply(kubectl, text, timeout=timeout, dry_run=dry_run, validate=validate)
        ]
    return apply(kubectl, whole, timeout=timeout, dry_run=dry_run, validate=validate)


def _kinds_are_known(kubectl: Kubectl, path: str) -> bool:
    return kubectl.run("get", f"--filename={path}", "--ignore-not-found", "--output=name", timeout=60).code == 0


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


def _apply(kubectl: Kubectl, path: str, validate: bool, *, dry_run: bool) -> list[str]:
    before = {named(item): _stamp(item) for item in _present(kubectl, path)}
    words = ["apply", "--server-side", "--force-conflicts", f"--field-manager={MANAGER}", f"--filename={path}"]
    words += ["--show-managed-fields", *(["--dry-run=server"] if dry_run else [])]
    words += [] if validate else ["--validate=ignore"]
    after = listed(kubectl.text(*words, "--output=json", timeout=_APPLY_TIMEOUT))
    return [named(item) for item in after if before.get(named(item)) != _stamp(item)]


def _present(kubectl: Kubectl, path: str) -> list[dict[str, Any]]:
    """Those that exist already. A kind that is not known yet is one that no object of exists."""
    done = kubectl.run(
        "get", f"--filename={path}", "--ignore-not-found", "--show-managed-fields", "--output=json", timeout=60
    )
    return listed(done.stdout)


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
