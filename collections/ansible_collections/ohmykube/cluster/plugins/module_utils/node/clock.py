# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Time synchronisation: certificates and etcd leases suffer from a wrong clock."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd, UnitState

# By preference; one is enough, and two disturb each other.
DAEMONS = ("chrony.service", "chronyd.service", "ntpsec.service", "ntpd.service", "systemd-timesyncd.service")


@dataclass(frozen=True)
class ClockPlan:
    """daemon: the unit that keeps the time, empty if none is installed."""

    daemon: str
    changes: list[Change]


def plan(host: Host) -> ClockPlan:
    systemd = Systemd(host)
    states = systemd.show(DAEMONS)
    installed = [state for state in states if state.load == "loaded"]
    if not installed:
        return ClockPlan("", [])
    daemon = next((state for state in installed if state.active == "active"), installed[0])
    if daemon.enabled and (daemon.active == "active" or daemon.condition_failed):
        return ClockPlan(daemon.name, [])
    return ClockPlan(daemon.name, [_enable(systemd, daemon)])


def _enable(systemd: Systemd, daemon: UnitState) -> Change:
    before = f"{daemon.name} {daemon.file}, {daemon.active}\n"
    after = f"{daemon.name} enabled, active\n"
    return Change(f"{daemon.name} on", before, after, lambda: systemd.call("enable", "--now", daemon.name))
