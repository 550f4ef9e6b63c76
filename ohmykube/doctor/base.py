"""What is found, and how looks are taken: side by side, each bounded in time."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ohmykube.errors import OhmykubeError

Severity = Literal["ok", "warning", "problem", "unknown"]
Key = tuple[str, str]
COMPUTER = "this computer"
LOOK_TIMEOUT = 30.0  # seconds for one look


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    code: stable; scripts match on it. where: a node, or this computer. severity: `unknown` is what could not be looked
    at because of another finding. remedy: words, or a command to type. fix: carries the remedy out; doing it twice does
    no harm. passing: whether time alone may mend it, as with a machine that boots. fixed: whether `fix` has mended it.
    """

    code: str
    where: str
    severity: Severity
    what: str
    remedy: str = ""
    fix: Callable[[], object] | None = field(default=None, compare=False, repr=False)
    passing: bool = False
    fixed: bool = False

    @property
    def key(self) -> Key:
        """The same finding of a later look has the same key."""
        return self.code, self.where

    def as_data(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "what": self.what,
            "where": self.where,
            "severity": self.severity,
            "remedy": self.remedy,
            "fixable": self.fix is not None,
            "fixed": self.fixed,
        }


def ok(code: str, where: str, what: str) -> Finding:
    return Finding(code, where, "ok", what)


def unknown(code: str, where: str, what: str) -> Finding:
    return Finding(code, where, "unknown", what)


def from_error(error: OhmykubeError, where: str, *, passing: bool = False) -> list[Finding]:
    """Errors know already what failed and what to do."""
    return [
        Finding(each.code, where, "problem", each.message, each.hint, passing=passing)
        for each in getattr(error, "errors", [error])
    ]


@dataclass(frozen=True)
class Check:
    """A look that needs no other one. code: of what is found where it does not end within `timeout` seconds."""

    code: str
    where: str
    look: Callable[[], Iterable[Finding]]
    timeout: float = LOOK_TIMEOUT


def run(checks: Sequence[Check]) -> list[Finding]:
    """What all of them find, in their order. One that fails, or does not end in time, is a finding itself."""
    looks = [_Look(check) for check in checks]
    return [finding for look in looks for finding in look.findings()]


class _Look(threading.Thread):
    """A thread that nobody waits for at the end: what hangs must not hold the answer back."""

    def __init__(self, check: Check) -> None:
        super().__init__(daemon=True, name=check.code)
        self._check = check
        self._found: list[Finding] = []
        self._defect: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found = list(self._check.look())
        except OhmykubeError as error:
            self._found = from_error(error, self._check.where)
        except Exception as error:  # noqa: BLE001 - raised again where somebody hears it
            self._defect = error

    def findings(self) -> list[Finding]:
        self.join(self._check.timeout)
        if self.is_alive():
            what = f"the look at it did not end within {self._check.timeout:.0f} s"
            return [Finding(f"{self._check.code}.no-end", self._check.where, "warning", what, "try again")]
        if self._defect:
            raise self._defect
        return self._found
