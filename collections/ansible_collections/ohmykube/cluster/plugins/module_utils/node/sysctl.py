# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Kernel parameters: set now, kept across reboots, and put back by a reset."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, plan_file
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

PERSISTED = "/etc/sysctl.d/99-ohmykube.conf"
_HEADER = "# Written by ohmykube. 'was' is what a reset puts back.\n"
_LINE = re.compile(r"^(?P<name>[^#\s=]+) = (?P<value>[^\n]*)\n(?:# was (?P<was>[^\n]*)\n)?", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """at_least: a limit that all containers of a kernel share, raised and never lowered.
    needed: it must exist and hold; otherwise a node works without, and a warning tells.
    module: the kernel feature that brings it."""

    name: str
    value: str
    at_least: bool = False
    needed: bool = True
    module: str = ""

    @property
    def path(self) -> str:
        # As in sysctl.conf: a name with slashes has its dots inside the parts (interfaces like eth0.5).
        return "/proc/sys/" + (self.name if "/" in self.name else self.name.replace(".", "/"))

    def suffices(self, current: str) -> bool:
        if self.at_least:
            return int(current) >= int(self.value)
        return current.split() == self.value.split()


DEFAULTS = (
    Parameter("net.ipv4.ip_forward", "1"),
    Parameter("net.bridge.bridge-nf-call-iptables", "1", module="br_netfilter"),
    Parameter("net.bridge.bridge-nf-call-ip6tables", "1", module="br_netfilter"),
    # Absent where IPv6 is switched off.
    Parameter("net.ipv6.conf.all.forwarding", "1", needed=False),
    # The kubelet insists on these three, and with protectKernelDefaults it refuses to set them itself.
    Parameter("vm.overcommit_memory", "1"),
    Parameter("kernel.panic", "10"),
    Parameter("kernel.panic_on_oops", "1"),
    # kube-proxy sets these two by default. Its values are set before it so that a reset knows what was.
    Parameter("net.netfilter.nf_conntrack_tcp_timeout_established", "86400", needed=False, module="nf_conntrack"),
    Parameter("net.netfilter.nf_conntrack_tcp_timeout_close_wait", "3600", needed=False, module="nf_conntrack"),
    # A few dozen pods use up the usual 128 instances: "too many open files" from kubectl logs -f.
    Parameter("fs.inotify.max_user_instances", "8192", at_least=True, needed=False),
    Parameter("fs.inotify.max_user_watches", "524288", at_least=True, needed=False),
)


@dataclass(frozen=True)
class SysctlPlan:
    changes: list[Change]
    warnings: list[str]


def plan(host: Host, extra: Mapping[str, str], loading: frozenset[str] = frozenset()) -> SysctlPlan:
    """extra: the caller's parameters by name; one that is also a default replaces it, exactly as given.
    loading: modules that are loaded before the changes are made."""
    parameters = [parameter for parameter in DEFAULTS if parameter.name not in extra]
    parameters += [Parameter(name, value) for name, value in extra.items()]
    persisted = {match["name"]: match["was"] for match in _LINE.finditer(host.read(PERSISTED) or "")}

    changes: list[Change] = []
    warnings: list[str] = []
    lines = [_HEADER]
    for parameter in parameters:
        current = _current(host, parameter)
        if current is None and parameter.module not in loading:
            if parameter.needed:
                raise _absent(parameter)
            warnings.append(f"sysctl {parameter.name}: this kernel does not have it")
            continue
        enough = current is not None and parameter.suffices(current)
        if not enough:
            changes.append(_set(host, parameter, current, warnings))
        was = persisted.get(parameter.name, current)
        if not parameter.at_least:
            lines.append(f"{parameter.name} = {parameter.value}\n" + (f"# was {was}\n" if was is not None else ""))
        elif not enough or parameter.name in persisted:
            # A limit that somebody else has set higher is theirs to keep.
            lines.append(f"{parameter.name} = {parameter.value}\n")
    if change := plan_file(host, PERSISTED, "".join(lines), mode=0o644):
        changes.append(change)
    return SysctlPlan(changes, warnings)


def plan_absent(host: Host) -> list[Change]:
    """Put back what was, unless somebody has changed it since; raised limits stay raised until the next boot."""
    changes: list[Change] = []
    for match in _LINE.finditer(host.read(PERSISTED) or ""):
        ours = Parameter(match["name"], match["value"])
        current = _current(host, ours)
        if match["was"] is None or current is None or not ours.suffices(current) or match["was"] == current:
            continue
        changes.append(_set(host, Parameter(ours.name, match["was"], needed=False), current, []))
    if change := plan_file(host, PERSISTED, None):
        changes.append(change)
    return changes


def _current(host: Host, parameter: Parameter) -> str | None:
    value = host.read(parameter.path)
    return None if value is None else " ".join(value.split())


def _set(host: Host, parameter: Parameter, current: str | None, warnings: list[str]) -> Change:
    def write() -> None:
        try:
            host.path(parameter.path).write_text(f"{parameter.value}\n")
        except OSError as error:
            if parameter.needed:
                raise _refused(parameter, current, error) from error
            warnings.append(f"sysctl {parameter.name} stays {current}: {error.strerror}")

    before = "" if current is None else f"{parameter.name} = {current}\n"
    what = f"sysctl {parameter.name}: {'absent' if current is None else current} -> {parameter.value}"
    return Change(what, before, f"{parameter.name} = {parameter.value}\n", write)


def _absent(parameter: Parameter) -> OhmykubeError:
    return OhmykubeError(
        "node.sysctl_absent",
        f"the kernel has no parameter {parameter.name}",
        hint=f"look for it below {parameter.path.rpartition('/')[0]}, or load the kernel module that brings it",
    )


def _refused(parameter: Parameter, current: str | None, error: OSError) -> OhmykubeError:
    read_only = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    return OhmykubeError(
        "node.sysctl_refused",
        f"sysctl {parameter.name} is {current}, must be {parameter.value}, and cannot be set: {error.strerror}",
        hint="in a container, set it on the container's host"
        if read_only
        else "check the value against the kernel's documentation",
    )


def as_text(values: Mapping[str, object]) -> dict[str, str]:
    """Values as YAML gives them (1, true, "4096 87380") in the form of /proc/sys."""
    return {name: str(int(value) if isinstance(value, bool) else value) for name, value in values.items()}
