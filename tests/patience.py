"""How long tests wait for what is to come: long on purpose, since one that passes waits no longer than it must."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE = 120.0  # seconds: more than the slowest computer takes, less than for ever
FOREVER = 10 * PATIENCE  # seconds that nothing which is to end early may take


def soon(look: Callable[[], Found], *, within: float = PATIENCE) -> Found:
    """What `look` finds, asked again until that is true; after `within` seconds, what it has found last."""
    deadline = time.monotonic() + within
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
