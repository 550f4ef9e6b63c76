# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Faults begin and end here. The timer that ends one is armed before it begins, and belongs to the machine's systemd.

So it ends whoever dies meanwhile: the connection, the computer that asked, this process. A reboot ends it too: timers,
packet rules, queues and clocks do not outlive it, and neither do the records, which lie in memory.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import clock, delay, disk, partition
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.plan import Fault, Plan, Record, script, uptime
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

KINDS: Mapping[str, Fault] = {
    "partition": partition.Partition(),
    "delay": delay.Delay(),
    "fill-disk": disk.FullDisk(),
    "skew-clock": clock.WrongClock(),
}
FOLDER = "/run/ohmykube-chaos"
_UNIT = "ohmykube-chaos"
_TIMEOUT = 30  # seconds for one command
_SPARE = 1.0  # seconds that must be left of the time when a fault begins


def present(host: Host, kind: str, options: dict[str, Any], seconds: float) -> Change:
    """The change that begins a fault, or gives one that is there its time anew. Refusals are raised at once."""
    plan = KINDS[kind].plan(host, options, seconds)
    before = "".join(f"{fault['detail']}\n" for fault in in_force(host) if fault["kind"] == kind)
    what = f"{plan.detail} for {seconds:g} s"
    return Change(what, before, f"{what}\n", lambda: _begin(host, kind, options, seconds))


def absent(host: Host, kinds: list[str]) -> list[Change]:
    """What ends the faults of these kinds that are there, or were begun."""
    there = {fault["kind"]: fault["detail"] for fault in in_force(host)}
    return [
        Change(f"{kind} healed", f"{there.get(kind, 'begun')}\n", "", partial(_heal, host, kind))
        for kind in kinds
        if kind in there or _record(host, kind)
    ]


def in_force(host: Host) -> list[dict[str, Any]]:
    """`kind`, `detail`, and the `seconds` that are left, None where no timer is known. Looked at, not looked up."""
    now = uptime(host)
    found = []
    for kind, fault in KINDS.items():
        record = _record(host, kind)
        if fault.found(host, record):
            left = max(0.0, round(record.until - now, 1)) if record else None
            found.append({"kind": kind, "detail": record.detail if record else kind, "seconds": left})
    return found


def _begin(host: Host, kind: str, options: dict[str, Any], seconds: float) -> None:
    with _alone(host):
        old = _record(host, kind)
        plan = KINDS[kind].plan(host, options, seconds)
        if old and (old.detail, old.undo) != (plan.detail, plan.undo):
            _undo(host, kind)
            plan = KINDS[kind].plan(host, options, seconds)
        record = Record(kind, uptime(host) + seconds, plan.detail, plan.undo, plan.mark)
        write_atomic(host.path(_place(kind)), record.text().encode(), 0o600)
        timer = _arm(host, record, seconds)
        try:
            _apply(host, plan, record)
            _disarm(host, [other for other in _timers(host, kind) if other != timer])
            if timer not in _timers(host, kind):
                raise _too_slow(kind)
        except BaseException:
            _undo(host, kind)
            raise


def _apply(host: Host, plan: Plan, record: Record) -> None:
    if uptime(host) > record.until - _SPARE:  # the timer may ring before the fault is there
        raise _too_slow(plan.kind)
    plan.apply()


def _heal(host: Host, kind: str) -> None:
    with _alone(host):
        _undo(host, kind)


def _undo(host: Host, kind: str) -> None:
    """The record goes when the fault is gone, and the timers last: they try again where this fails."""
    record = _record(host, kind)
    said = [host.run(argv, _TIMEOUT) for argv in (record.undo if record else KINDS[kind].strays(host))]
    if KINDS[kind].found(host, record):
        words = next((done.stderr.strip() for done in said if done.code), "")
        raise OhmykubeError(
            "fault.stays",
            f"the fault {kind} could not be undone: {words or 'it is still there'}",
            hint="a reboot of the machine ends it",
            context={"fault": kind},
        )
    host.path(_place(kind)).unlink(missing_ok=True)
    _disarm(host, _timers(host, kind))


def _arm(host: Host, record: Record, seconds: float) -> str:
    """The name of the timer. Each has one of its own, so that a new one is there before the old one goes."""
    unit = f"{_UNIT}-{record.kind}-{record.until * 100:.0f}"
    heal = script([*record.undo, ("rm", "-f", _place(record.kind))])
    host.command(
        [
            "systemd-run",
            f"--unit={unit}",
            f"--description=ohmykube chaos: ends {record.detail}",
            f"--on-active={seconds:g}s",
            "--timer-property=AccuracySec=100ms",
            "--collect",
            "--",
            "/bin/sh",
            "-c",
            heal,
        ],
        _TIMEOUT,
    )
    return f"{unit}.timer"


def _timers(host: Host, kind: str) -> list[str]:
    pattern = f"{_UNIT}-{kind}-*.timer"
    said = host.command(["systemctl", "list-units", "--no-legend", "--plain", "--state=active", pattern], _TIMEOUT)
    return [line.split()[0] for line in said.splitlines() if line.strip()]


def _disarm(host: Host, timers: list[str]) -> None:
    if timers:
        host.run(["systemctl", "stop", *timers], _TIMEOUT)


def _record(host: Host, kind: str) -> Record | None:
    text = host.read(_place(kind))
    return Record.parse(text) if text else None


def _place(kind: str) -> str:
    return f"{FOLDER}/{kind}.json"


@contextmanager
def _alone(host: Host) -> Iterator[None]:
    """One at a time on this machine."""
    folder = host.path(FOLDER)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _too_slow(kind: str) -> OhmykubeError:
    return OhmykubeError(
        "fault.too-slow",
        f"the machine took so long that the time for {kind} was over before it was there; it is undone",
        hint="take a longer time",
    )
