# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which add-on goes before which. Pure, and standard library only: the controller asks it, and nodes do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def requires(self) -> Sequence[str]: ...
    @property
    def priority(self) -> int: ...


Member = TypeVar("Member", bound=Named)


def closure(wanted: Iterable[str], known: Mapping[str, Named]) -> list[str]:
    """The wanted ones and all that they require, each once, behind what it requires.

    Raises OhmykubeError `addon.unknown` or `addon.circle`.
    """
    found: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = [*path[path.index(name) :], name]
            raise OhmykubeError(
                "addon.circle",
                f"add-ons require each other in a circle: {' → '.join(circle)}",
                hint="take one of them out of `requires`",
                context={"circle": ", ".join(circle)},
                exit_code=2,
            )
        if name in found:
            return
        if name not in known:
            raise unknown(name, known, by=path[-1] if path else "")
        for required in known[name].requires:
            visit(required, (*path, name))
        found.append(name)

    for name in wanted:
        visit(name, ())
    return found


def waves(addons: Iterable[Member]) -> list[list[Member]]:
    """Add-ons of a wave do not need each other; each comes later than all that it requires.

    Among those that could go next, the ones of the lowest priority number do. What is required and not among the
    add-ons counts as there. Raises OhmykubeError `addon.circle`.
    """
    left = {addon.name: addon for addon in addons}
    closure(left, {name: _Within(addon, left) for name, addon in left.items()})
    found = []
    while left:
        free = [addon for addon in left.values() if not left.keys() & set(addon.requires)]
        first = min(addon.priority for addon in free)
        found.append([addon for addon in free if addon.priority == first])
        for addon in found[-1]:
            del left[addon.name]
    return found


def dependents(name: str, addons: Iterable[Named]) -> list[str]:
    """Which of the add-ons require this one."""
    return [addon.name for addon in addons if name in addon.requires]


def unknown(name: str, known: Iterable[str], by: str = "") -> OhmykubeError:
    """by: the add-on that requires it."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(choices)}; a folder of yours needs its path"
    words = f"{by} requires {name!r}, which is no add-on" if by else f"there is no add-on {name!r}"
    return OhmykubeError("addon.unknown", words, hint=hint, context={"addon": name}, exit_code=2)


class _Within:
    """An add-on that requires nothing beyond the others."""

    def __init__(self, addon: Named, others: Mapping[str, Named]) -> None:
        self.name, self.priority = addon.name, addon.priority
        self.requires = [name for name in addon.requires if name in others]
