# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Kernel features: built in or loaded as modules, and kept across reboots where they are modules."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, plan_file
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

PERSISTED = "/etc/modules-load.d/ohmykube.conf"
# What containerd, kube-proxy and the usual pod networks cannot do without.
REQUIRED = ("overlay", "br_netfilter", "vxlan", "nf_tables", "nf_conntrack")
# Where the option of the kernel's configuration is not the module's name in capitals.
_OPTIONS = {
    "overlay": "OVERLAY_FS",
    "br_netfilter": "BRIDGE_NETFILTER",
    "xt_set": "NETFILTER_XT_SET",
    "nfnetlink_queue": "NETFILTER_NETLINK_QUEUE",
    "rbd": "BLK_DEV_RBD",
    "ceph": "CEPH_FS",
}
# What appears with a feature, be it built in, loaded, or loaded by the host of a container.
_EVIDENCE = {"br_netfilter": "/proc/sys/net/bridge", "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max"}
# What does without a feature.
_INSTEAD = {"ip_vs": "set spec.network.proxyMode to nftables", "nft_queue": "leave flannel_network_policy out"}


@dataclass(frozen=True)
class KernelPlan:
    """loading: modules that the changes load: what they bring (sysctls) is not there before."""

    changes: list[Change]
    loading: frozenset[str]


def plan(host: Host, extra: Sequence[str] = ()) -> KernelPlan:
    """What makes all features usable; OhmykubeError names every one that this kernel cannot give."""
    wanted = list(dict.fromkeys(name.replace("-", "_") for name in (*REQUIRED, *extra)))
    loaded = {line.split()[0] for line in (host.read("/proc/modules") or "").splitlines()}
    built_in = _built_in(host)
    has_modules = host.path(f"/lib/modules/{host.release}").is_dir()

    persisted: list[str] = []
    loading: list[str] = []
    missing: list[str] = []
    for name in wanted:
        if name in loaded:
            # Without a folder of modules this is a container: its host has loaded them and does so at its boot.
            persisted += [name] * has_modules
        elif _is_there(host, name, built_in):
            continue
        elif host.run(["modprobe", "--dry-run", name], 30).code == 0:
            persisted.append(name)
            loading.append(name)
        else:
            missing.append(name)
    if missing:
        instead = "".join(f"; or {way}" for name, way in _INSTEAD.items() if name in missing)
        raise OhmykubeError(
            "node.kernel_feature",
            f"kernel {host.release} has neither built in nor as a module: {', '.join(missing)}",
            hint="install the kernel's modules (on Ubuntu linux-modules-extra-$(uname -r)), or reboot into the kernel"
            f" whose modules are installed{instead}",
            context={"missing": ", ".join(missing), "kernel": host.release},
        )

    changes = [_load(host, name) for name in loading]
    content = "".join(f"{name}\n" for name in persisted) or None
    if change := plan_file(host, PERSISTED, content, mode=0o644):
        changes.append(change)
    return KernelPlan(changes, frozenset(loading))


def plan_absent(host: Host) -> list[Change]:
    """Loaded modules stay: others may use them by now, and the next boot comes without."""
    change = plan_file(host, PERSISTED, None)
    return [change] if change else []


def _load(host: Host, name: str) -> Change:
    return Change(f"kernel module {name} loaded", "", f"{name}\n", lambda: host.command(["modprobe", name], 30))


def _is_there(host: Host, name: str, built_in: frozenset[str]) -> bool:
    if name in built_in or _option(name) in built_in:
        return True
    if host.path(f"/sys/module/{name}").exists():
        return True
    if name in (host.read("/proc/filesystems") or "").split():
        return True
    return name in _EVIDENCE and host.path(_EVIDENCE[name]).exists()


def _option(name: str) -> str:
    return f"CONFIG_{_OPTIONS.get(name, name.upper())}=y"


def _built_in(host: Host) -> frozenset[str]:
    """Names of modules that are built in, and the lines of the kernel's configuration that say so."""
    listed = host.read(f"/lib/modules/{host.release}/modules.builtin") or ""
    names = {PurePath(line).name.partition(".")[0].replace("-", "_") for line in listed.splitlines()}
    packed = host.path("/proc/config.gz")
    if packed.exists():
        configuration = gzip.decompress(packed.read_bytes()).decode()
    else:
        configuration = host.read(f"/boot/config-{host.release}") or ""
    return frozenset(names | {line for line in configuration.splitlines() if line.endswith("=y")})
