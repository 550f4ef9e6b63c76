# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A wrong clock: set once, with what keeps the time stopped. The way back is counted from the kernel's own start.

So it comes back to the right time, whoever has set the clock meanwhile; whatever keeps the time then sees to the rest.
"""

from __future__ import annotations

import time

from ansible_collections.ohmykube.cluster.plugins.module_utils.faults import asker
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.plan import SKEW, Argv, Plan, Record, uptime
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.node.clock import DAEMONS
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

_SET = "import sys, time; time.clock_settime(0, time.clock_gettime(time.CLOCK_BOOTTIME) + float(sys.argv[1]))"
_WRONG = 0.5  # seconds of difference; clocks that are kept differ by less
_TIMEOUT = 30  # seconds


class WrongClock:
    def plan(self, host: Host, options: dict[str, object], seconds: float) -> Plan:
        asker.refuse_container(host, "clock")
        asker.refuse_asker(host, "clock")
        skew = float(str(options[SKEW]))
        started = _started(host)
        keepers = [state.name for state in Systemd(host).show(DAEMONS) if state.active == "active"]

        def apply() -> None:
            if keepers:
                host.command(["systemctl", "stop", *keepers], _TIMEOUT)
            host.command(_set(started + skew), _TIMEOUT)

        undo = (_set(started), *([("systemctl", "start", *keepers)] if keepers else []))
        return Plan(
            "skew-clock", f"clock {'ahead' if skew > 0 else 'behind'} by {abs(skew):g} s", apply, undo, str(started)
        )

    def found(self, host: Host, record: Record | None) -> bool:
        return record is not None and abs(_started(host) - float(record.mark)) > _WRONG

    def strays(self, host: Host) -> tuple[Argv, ...]:
        return ()  # what the right time is stands in the record


def _started(host: Host) -> float:
    """When the kernel started, by the clock as it is now: seconds since 1970."""
    return round(time.time() - uptime(host), 2)


def _set(started: float) -> tuple[str, ...]:
    return ("python3", "-I", "-c", _SET, f"{started:.2f}")
