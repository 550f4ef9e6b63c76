"""Machines that are worked on. That one has gone off is told at once: Ansible and the API server wait for minutes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ohmykube.errors import OhmykubeError
from ohmykube.phases.base import Context
from ohmykube.phases.machines import stopped

_INTERVAL = 5.0  # seconds


@contextmanager
def watching(
    context: Context, names: Sequence[str] = (), *, interval: float = _INTERVAL
) -> Iterator[Callable[[], OhmykubeError | None]]:
    """Yields a function that says which machine has gone off meanwhile, if one has.

    names: of machines that run; none for all of the cluster. A machine that boots anew is off for a moment, so two
    looks must agree; one that does not answer, but is not known to be off, is Ansible's to judge.
    """
    watched = set(names) or {machine.name for machine in context.machines}
    found: list[OhmykubeError] = []
    over = threading.Event()

    def watch() -> None:
        before: set[str] = set()
        while not found and not over.wait(interval):
            with suppress(OhmykubeError):  # a look that fails says nothing
                seen = {machine.name: machine for machine in context.provider.machines()}
                off = {name for name in watched if name not in seen or seen[name].status == "stopped"}
                found.extend(stopped(name, seen.get(name)) for name in sorted(off & before))
                before = off

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        yield lambda: found[0] if found else None
    finally:
        over.set()
