"""Providers by name, ours and those found by entry point; and which one this computer should use."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from ohmykube.errors import OhmykubeError
from ohmykube.model.document import nearest
from ohmykube.providers.base import Provider, ProviderContext

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "ohmykube.providers"
_OURS = {"lima": "LimaProvider", "nspawn": "NspawnProvider", "static": "StaticProvider"}


@cache
def _entries() -> EntryPoints:
    """Those of others. It takes a look at all that is installed, and some time."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def names() -> tuple[str, ...]:
    return tuple(sorted({*_OURS, *_entries().names}))


def load(name: str) -> type[Provider]:
    """The provider's class; OhmykubeError `provider.unknown`."""
    if name in _OURS:
        ours: type[Provider] = getattr(importlib.import_module(f"ohmykube.providers.{name}"), _OURS[name])
        return ours
    for entry in _entries().select(name=name):
        loaded: type[Provider] = entry.load()
        return loaded
    raise OhmykubeError(
        "provider.unknown",
        f"there is no provider {name!r}",
        hint=nearest(name, names()),
        context={"provider": name},
        exit_code=2,
    )


def owns_machines(name: str) -> bool:
    """Whether the provider makes machines; those of others exist before the cluster."""
    return load(name).owns_machines


def make(name: str, context: ProviderContext) -> Provider:
    constructor: type[Provider] = load(name)
    return constructor(context)  # type: ignore[call-arg]  # a protocol has no constructor; the contract names it


def choose() -> tuple[str, str]:
    """The provider to use where the person named none, and a line that says why where it is not Lima."""
    no_lima = load("lima").unusable()
    if not no_lima:
        return "lima", ""
    no_nspawn = load("nspawn").unusable()
    if not no_nspawn:
        return "nspawn", f"using system containers (provider nspawn), because Lima is not usable here: {no_lima}"
    raise OhmykubeError(
        "provider.none",
        f"no provider is usable here. lima: {no_lima}. nspawn: {no_nspawn}",
        hint="mend one of these, or name machines that exist with provider: static",
    )
