"""Bare hosts for tests that need real ones."""

import os
from collections.abc import Iterator
from itertools import count
from typing import Protocol

import pytest

from ohmykube.providers.nspawn import NspawnProvider
from tests.hosts import machines as bare

_numbers = count(1)


class Machines(Protocol):
    def __call__(self, number: int = 1, *, cpu: int = 1, memory: str = "2GiB", user: bool = False) -> list[bare.Host]:
        """New machines that answer ssh, taken away after the test."""
        ...


@pytest.fixture
def machines() -> Iterator[Machines]:
    why_not = NspawnProvider.unusable()
    if why_not:
        pytest.skip(f"no real hosts here: {why_not}")
    made = []

    def make(number: int = 1, *, cpu: int = 1, memory: str = "2GiB", user: bool = False) -> list[bare.Host]:
        name = f"t{os.getpid()}-{next(_numbers)}"
        made.append(name)
        return bare.up(name, number, cpu=cpu, memory=memory, user=user)

    yield make
    for name in made:
        bare.down(name)
