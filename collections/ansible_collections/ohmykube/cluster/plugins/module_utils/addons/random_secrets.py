# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Secrets with values that nobody chose: made once on the cluster, and never changed. Standard library only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import applying
from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.labels import LABEL
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, with_file

Item = dict[str, Any]

_BYTES = 24  # of a value: 32 characters, for people paste some


def references(keys: Iterable[str]) -> list[Item]:
    """Of each Secret what tells it from others. keys: as namespace/name/key."""
    return [_reference(*called) for called in _grouped(keys)]


def make(kubectl: Kubectl, addon: str, keys: Iterable[str], *, timeout: float, dry_run: bool) -> list[str]:
    """Those that were not there, and so were made, or would be, as `Secret/namespace/name`.

    keys: as namespace/name/key. timeout: seconds to try again while the API is starting.
    """
    made = []
    for called, own in _grouped(keys).items():
        secret = _reference(*called)
        secret["metadata"]["labels"] = {LABEL: addon}
        secret["stringData"] = {key: secrets.token_urlsafe(_BYTES) for key in own}
        if _make(kubectl, secret, timeout=timeout, dry_run=dry_run):
            made.append(applying.named(secret))
    return made


def _make(kubectl: Kubectl, secret: Item, *, timeout: float, dry_run: bool) -> bool:
    """By `create`, which never changes one that came in between."""
    namespace, name = (secret["metadata"][key] for key in ("namespace", "name"))

    def create(path: str) -> bool:
        if kubectl.items("Secret", name, f"--namespace={namespace}"):
            return False
        if not dry_run:
            kubectl.text("create", "--validate=ignore", f"--filename={path}")
        return True

    return with_file(json.dumps(secret), lambda path: patiently(lambda: create(path), timeout=timeout))


def _grouped(keys: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Namespace and name of each Secret → its keys."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in keys:
        namespace, name, key = each.split("/")
        found.setdefault((namespace, name), []).append(key)
    return found


def _reference(namespace: str, name: str) -> Item:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name}}
