# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The user's own documents: each judged where it stands, and brought to the version that we speak."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config import fields, migration
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import API_VERSIONS, Document
from ansible_collections.ohmykube.cluster.plugins.module_utils.places import Path, Placed

_HINT = "https://kubernetes.io/docs/reference/config-api/"


@dataclass(frozen=True)
class Written:
    """A document as it was given. name: what it is called where no file is known, like `document 2`."""

    data: Any
    name: str = ""
    origins: Mapping[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """Where the value at `path`, or the nearest thing that holds it, stands. Items of lists may go by name."""
        here, at = self.data, ()
        for key in path:
            if isinstance(here, list) and isinstance(key, str):
                names = [item.get("name") if isinstance(item, Mapping) else None for item in here]
                key = names.index(key) if key in names else -1
            try:
                here = here[key]
            except (KeyError, IndexError, TypeError):
                break
            if (*at, key) not in self.origins:
                break
            at = (*at, key)
        return self.origins.get(at, self.name)


_Moved = tuple[str, dict[str, str], Written]  # timeouts that belong to the document of a kind, and where they stood


@dataclass
class User:
    """What is good of them, by kind; `written`: where each came from. notes: what need not be wrong."""

    documents: dict[str, Document] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)
    problems: list[OhmykubeError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def of_file(documents: Iterable[Placed]) -> User:
    return read(Written(document.data, origins=document.origins) for document in documents)


def of_list(documents: Iterable[Any], name: str) -> User:
    """name: of the variable that holds them."""
    return read(Written(data, f"document {number} of {name}") for number, data in enumerate(documents, start=1))


def read(documents: Iterable[Written]) -> User:
    """Every document that has its place, and every problem of the others (`kubeadm.*`)."""
    user = User()
    timeouts: list[_Moved] = []
    for document in documents:
        if document.data is None:  # an empty part between two `---`
            continue
        words, hint, path = _misplaced(document.data, user)
        if words:
            user.problems.append(problem("kubeadm.document", path, words, document, hint))
            continue
        _take(user, document, timeouts)
    for kind, moved, document in timeouts:
        user.written.setdefault(kind, document)
        known = user.documents.get(kind, {"apiVersion": API_VERSIONS[kind], "kind": kind})
        said = known.get("timeouts") or {}
        if isinstance(said, Mapping):  # or it is a problem already
            user.documents[kind] = {**known, "timeouts": {**moved, **said}}
    return user


def problem(code: str, path: Path, words: str, document: Written, hint: str = "") -> OhmykubeError:
    """path: of the value, within the document."""
    kind = document.data.get("kind") if isinstance(document.data, Mapping) else None
    where = ".".join(str(part) for part in (kind if isinstance(kind, str) else "", *path) if part != "")
    place = document.place(path)
    return OhmykubeError(
        code,
        f"{where or 'a document'}: {words} ({place})",
        hint=hint or _HINT,
        context={"path": where, "origin": place},
        exit_code=2,
    )


def _take(user: User, document: Written, timeouts: list[_Moved]) -> None:
    data, kind = document.data, document.data["kind"]
    old = data["apiVersion"] == migration.OLD
    found: list[fields.Problem] = []
    if old:
        data, moved, found = migration.migrate(kind, data)
        timeouts += [(each, values, document) for each, values in moved.items()]
        user.notes.append(f"{kind}: v1beta3 is read as v1beta4 ({document.place(())})")
    for each in (*found, *fields.check(kind, data)):
        # v1beta3 gets no new fields: what it does not have cannot be migrated.
        if each.doubtful and not old:
            where = ".".join(map(str, (kind, *each.path)))
            user.notes.append(f"{where}: {each.words}, as far as is known here ({document.place(each.path)})")
        else:
            user.problems.append(problem("kubeadm.field", each.path, each.words, document, each.hint))
    user.documents[kind], user.written[kind] = data, document


def _misplaced(data: Any, user: User) -> tuple[str, str, Path]:
    """Why a document has no place here, a hint, and where that is to be seen; no words where it has one."""
    if not isinstance(data, Mapping):
        return "is no mapping", "", ()
    version, kind = data.get("apiVersion"), data.get("kind")
    for key, value in (("apiVersion", version), ("kind", kind)):
        if not isinstance(value, str) or not value:
            return "is missing" if value is None else "must be text", "", (key,)
    group = version.rpartition("/")[0]
    groups = {known.rpartition("/")[0] for known in API_VERSIONS.values()}
    if group not in groups:
        return f"has the unknown group {group or version!r}", _near(group, groups), ("apiVersion",)
    if kind not in API_VERSIONS:
        return "is no kind that kubeadm is given", _near(kind, API_VERSIONS), ("kind",)
    if version != API_VERSIONS[kind] and not (version == migration.OLD and kind in migration.KINDS):
        return f"cannot be of {version}", f"write apiVersion: {API_VERSIONS[kind]}{_older(version)}", ("apiVersion",)
    if kind in user.written:
        first = user.written[kind].place(("kind",))
        return f"stands twice, first at {first}", "make one document of the two", ()
    return "", "", ()


def _older(version: str) -> str:
    return "; kubeadm 1.22 to 1.26 migrates it to v1beta3" if version == "kubeadm.k8s.io/v1beta2" else ""


def _near(word: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.7)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(choices)}"
