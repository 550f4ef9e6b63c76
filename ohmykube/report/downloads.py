"""Downloads, as steps tell of them: `kubeadm v1.36.4: 30 % of 71.0 MiB`, `reg.test/app:1: 1.0 KiB of 2.0 KiB`."""

import re
from dataclasses import dataclass, replace

from ohmykube.model.quantity import parse_bytes

_SIZE = r"\d{1,6}(?:\.\d)? (?:B|KiB|MiB|GiB)"
_TOLD = re.compile(rf"(?P<name>\S.*): (?:(?P<percent>\d{{1,3}}) %|(?P<done>{_SIZE})) of (?P<total>{_SIZE})")


@dataclass(frozen=True)
class Told:
    """How far a download is. total: bytes. share: 0 to 1."""

    name: str
    share: float
    total: int


@dataclass(frozen=True)
class Download:
    """start, end: seconds of the run. bytes: 0 while unknown."""

    name: str
    phase: str
    start: float
    end: float
    bytes: int

    @property
    def seconds(self) -> float:
        return self.end - self.start


def told(text: str) -> Told | None:
    match = _TOLD.fullmatch(text)
    if not match:
        return None
    total = _bytes(match["total"])
    share = int(match["percent"]) / 100 if match["percent"] else _bytes(match["done"]) / total if total else 0.0
    return Told(match["name"], min(share, 1.0), total)


def _bytes(text: str) -> int:
    return int(text.removesuffix(" B")) if text.endswith(" B") else parse_bytes(text)


class Said:
    """Gathers downloads from the steps of phases. One ends with its last part, its phase, or the run."""

    def __init__(self) -> None:
        self.named: dict[tuple[str, str], float] = {}  # (phase, what a step said): when; it may be a download's name
        self.running: dict[tuple[str, str], Download] = {}
        self.ended: list[Download] = []

    def take(self, phase: str, text: str, now: float) -> None:
        how_far = told(text)
        name = how_far.name if how_far else text
        for key in [key for key in self.running if key[0] == phase and key[1] != name and key in self.named]:
            self._end(key, now)  # those that were announced come one by one
        if how_far is None:
            self.named[phase, name] = now
            return
        start = self.named.get((phase, name), now)
        known = self.running.get((phase, name), Download(name, phase, start, now, 0))
        self.running[phase, name] = replace(known, end=now, bytes=how_far.total)
        if how_far.share >= 1:
            self._end((phase, name), now)

    def end(self, phase: str, now: float) -> None:
        for key in [key for key in self.running if key[0] == phase]:
            self._end(key, now)
        self.named = {key: when for key, when in self.named.items() if key[0] != phase}

    def all(self, now: float) -> tuple[Download, ...]:
        for key in list(self.running):
            self._end(key, now)
        return tuple(sorted(self.ended, key=lambda download: (download.start, download.name)))

    def _end(self, key: tuple[str, str], now: float) -> None:
        self.ended.append(replace(self.running.pop(key), end=now))
        self.named.pop(key, None)
