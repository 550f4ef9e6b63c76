"""Random tests that can be repeated: how many samples, of what, and from which seed.

    OHMYKUBE_TEST_KILLS=50 OHMYKUBE_TEST_FLIPS=200 OHMYKUBE_TEST_CASES=2000 OHMYKUBE_TEST_SEED=1234 pytest …
    OHMYKUBE_TEST_EVERY=1 pytest …  # where a test takes some of what there is, which takes long

Without these a run takes a few samples, from a seed of its own, which pytest shows when a test fails.
"""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

Case = TypeVar("Case")

KILLS = int(os.environ.get("OHMYKUBE_TEST_KILLS") or 3)  # by test
FLIPS = int(os.environ.get("OHMYKUBE_TEST_FLIPS") or 12)  # by test
CASES = int(os.environ.get("OHMYKUBE_TEST_CASES") or 300)  # of a property, by test
EVERY = bool(os.environ.get("OHMYKUBE_TEST_EVERY"))
_SEED = int(os.environ.get("OHMYKUBE_TEST_SEED") or random.SystemRandom().randrange(10**6))


def chance(what: str) -> random.Random:
    """A source for one test: the same whatever else ran before it."""
    print(f"{what}: OHMYKUBE_TEST_SEED={_SEED}")
    return random.Random(f"{what} {_SEED}")  # noqa: S311 - not a secret


def some(what: str, cases: Sequence[Case]) -> Sequence[Case]:
    """One of them, or all where every case is asked for."""
    return cases if EVERY else [chance(what).choice(cases)]
