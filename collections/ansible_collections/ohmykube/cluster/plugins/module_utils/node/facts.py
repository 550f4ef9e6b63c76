# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What later roles want to know of a node, and nothing more: gathering all facts costs seconds."""

from __future__ import annotations

import json
import os
import platform
import time

from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.placing import RECORD
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

# Kubernetes' names, which are Go's.
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# Reserved for documentation (RFC 5737): asks for the default route, and nothing is sent.
_ANYWHERE = "192.0.2.1"
_START_TICKS = 19  # field of /proc/PID/stat, counted behind the name of the program (proc(5): 22)


def gather(host: Host, reach: str = "", machine: str = "") -> dict[str, object]:
    """reach: the address that interface and address shall be able to reach. machine: as uname -m says it."""
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise OhmykubeError(
            "node.architecture",
            f"Kubernetes is not built for {machine} here",
            hint=f"use a machine of one of: {', '.join(sorted(set(_ARCHITECTURES.values())))}",
        )
    interface, address = _route(host, reach or _ANYWHERE)
    return {
        "arch": _ARCHITECTURES[machine],
        "kernel": host.release,
        "cpus": os.cpu_count() or 1,
        "memory_mib": _memory_mib(host),
        "cgroup_version": 2 if host.path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        "interface": interface,
        "address": address,
        "second_address": _ipv6(host, interface) if interface else "",
        "booted": _booted(host),
        "placed": host.path(RECORD).exists(),
    }


def _booted(host: Host) -> int:
    """When its first process began, in seconds since 1970. A container's kernel began with its host.

    Counted back from now: what the kernel calls its own beginning is of a clock that may have been set since.
    """
    fields = (host.read("/proc/1/stat") or "").rpartition(")")[2].split()
    uptime = (host.read("/proc/uptime") or "").split()
    if len(fields) <= _START_TICKS or not uptime:
        return 0
    age = float(uptime[0]) - int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
    return int(time.time() - age)


def _memory_mib(host: Host) -> int:
    for line in (host.read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _ipv6(host: Host, interface: str) -> str:
    """Its lasting IPv6 address that others reach; empty where it has none."""
    done = host.run(["ip", "-json", "-6", "address", "show", "dev", interface, "scope", "global"], 10)
    entries = [entry for link in json.loads(done.stdout or "[]") for entry in link.get("addr_info", [])]
    fleeting = ("temporary", "deprecated", "tentative", "dadfailed")
    lasting = (entry["local"] for entry in entries if not any(entry.get(flag) for flag in fleeting))
    return next(lasting, "")


def _route(host: Host, reach: str) -> tuple[str, str]:
    """Interface and source address towards an address; empty where there is no route."""
    done = host.run(["ip", "-json", "route", "get", reach], 10)
    routes = json.loads(done.stdout or "[]") if done.code == 0 else []
    if not routes:
        return "", ""
    return routes[0].get("dev", ""), routes[0].get("prefsrc", "")
