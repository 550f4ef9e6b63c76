"""The same work for several machines at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ohmykube.errors import OhmykubeError, raise_all

Item = TypeVar("Item")


def in_parallel(
    items: Sequence[Item],
    work: Callable[[Item], Any],
    *,
    workers: int,
    interrupted: threading.Event | None = None,
) -> None:
    """Do the work for all items, at most `workers` at once; then raise every error of theirs together.

    interrupted: is set where Ctrl-C ends the wait for them; else they come to their end first.
    """
    if not items:
        return
    errors: list[OhmykubeError] = []
    guard = threading.Lock()

    def one(item: Item) -> None:
        try:
            work(item)
        except OhmykubeError as error:
            with guard:
                errors.extend(getattr(error, "errors", [error]))

    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(items)))) as pool:
        try:
            list(pool.map(one, items))
        except KeyboardInterrupt:
            if interrupted:
                interrupted.set()
            raise
    raise_all(errors)
