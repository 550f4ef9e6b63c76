# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Patches of what kubeadm makes: it passes over a file whose name it does not know, so that is an error here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import places
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

TARGETS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "kubeletconfiguration",
    "corednsdeployment",
)
_NAME = re.compile(rf"({'|'.join(TARGETS)})([^.+\n/]*)(?:\+(strategic|merge|json))?\.(?:json|yaml)")
_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_FORM = "target[suffix][+strategic|merge|json].yaml"


def check(patches: Mapping[str, Any], folder: str = "") -> list[OhmykubeError]:
    """All that is wrong with them (`kubeadm.patch`, `file.syntax`). patches: text by the name of the file.

    folder: where the files lie, for messages.
    """
    found: list[OhmykubeError] = []
    for name, text in patches.items():
        source = f"{folder}/{name}" if folder else str(name)
        matched = _NAME.fullmatch(str(name))
        if not matched:
            found.append(_problem("is no name of a patch", source, _nearest(str(name))))
        elif not isinstance(text, str):
            found.append(_problem("must be text", f"{source}:1", "write the patch as a block of text, with |"))
        else:
            found += _content(text, source, json=matched[3] == "json")
    return found


def _content(text: str, source: str, *, json: bool) -> Iterator[OhmykubeError]:
    try:
        parts = [part for part in places.read(text, source) if part.data is not None]
    except OhmykubeError as error:
        yield error
        return
    if not parts:
        yield _problem("says nothing", f"{source}:1", "a patch names the fields to change")
    for part in parts:
        if not json:
            if not isinstance(part.data, Mapping):
                words = "is no mapping of fields to values"
                yield _problem(words, part.origins[()], "a list of operations is a file called target+json.yaml")
        elif not isinstance(part.data, list):
            yield _problem("is no list of operations", part.origins[()], "like {op: replace, path: /spec, value: …}")
        else:
            for index, step in enumerate(part.data):
                if not _is_operation(step):
                    words = "is no operation with an op and a path"
                    yield _problem(words, part.origins[(index,)], f"op is one of: {', '.join(_OPERATIONS)}")


def _is_operation(step: Any) -> bool:
    return isinstance(step, Mapping) and step.get("op") in _OPERATIONS and isinstance(step.get("path"), str)


def _nearest(name: str) -> str:
    target = re.split(r"[.+]", name)[0]
    near = difflib.get_close_matches(target, TARGETS, n=1, cutoff=0.7)
    meant = f"; did you mean {near[0]!r}?" if near and not target.startswith(near[0]) else ""
    return f"{_FORM}, with a target of: {', '.join(TARGETS)}{meant}"


def _problem(words: str, place: str, hint: str) -> OhmykubeError:
    return OhmykubeError(
        "kubeadm.patch", f"kubeadm patch: {words} ({place})", hint=hint, context={"origin": place}, exit_code=2
    )
