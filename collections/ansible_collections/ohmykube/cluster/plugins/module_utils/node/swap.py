# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Swap: off now and after a reboot; the lines of fstab are commented so that a reset finds them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, plan_file
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

FSTAB = "/etc/fstab"
_MARK = "#ohmykube# "
# Pages come back from the disk: minutes on a slow one.
_SWAPOFF_SECONDS = 300.0


def refuse_old_cgroups(facts: Mapping[str, object]) -> None:
    """Raise OhmykubeError `node.swap` where pods cannot use swap. facts: those of node/facts.py."""
    if facts["cgroup_version"] != 2:
        raise OhmykubeError(
            "node.swap",
            "pods cannot use swap on this machine: its controllers are those of cgroup v1",
            hint="a kernel booted with systemd.unified_cgroup_hierarchy=1 has v2; or leave swap off (spec.swap: false)",
            exit_code=2,
        )


def none(host: Host) -> list[str]:
    """The warning where swap is wanted and the machine has none, as cloud images do."""
    there = any(map(_is_swap, (host.read(FSTAB) or "").replace(_MARK, "").splitlines())) or _listed(host)
    return [] if there else ["pods are to use swap, and this machine has none"]


def plan_off(host: Host) -> list[Change]:
    changes = [_off(host, device) for device in _active(host)]
    fstab = host.read(FSTAB)
    if fstab is not None:
        lines = [f"{_MARK}{line}" if _is_swap(line) else line for line in fstab.splitlines(keepends=True)]
        if change := plan_file(host, FSTAB, "".join(lines)):
            changes.append(change)
    return changes


def plan_restore(host: Host) -> list[Change]:
    """Take back what plan_off did to fstab, and switch those swaps on again; nothing where there is nothing of ours."""
    fstab = host.read(FSTAB) or ""
    restored = "".join(line.removeprefix(_MARK) for line in fstab.splitlines(keepends=True))
    if restored == fstab:
        return []
    on = Change("swap on", "", "swap on\n", lambda: host.command(["swapon", "--all"]))
    change = plan_file(host, FSTAB, restored)
    return [change, on] if change else [on]


def _active(host: Host) -> list[str]:
    """Swaps of this machine. A container sees those of its host in /proc/swaps, and has no such files or devices."""
    lines = _listed(host)
    devices = (re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[0]) for line in lines)
    return [device for device in devices if host.path(device).exists()]


def _listed(host: Host) -> list[str]:
    return (host.read("/proc/swaps") or "").splitlines()[1:]


def _off(host: Host, device: str) -> Change:
    return Change(
        f"swap {device} off", f"{device}\n", "", lambda: host.command(["swapoff", "--", device], _SWAPOFF_SECONDS)
    )


def _is_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"
