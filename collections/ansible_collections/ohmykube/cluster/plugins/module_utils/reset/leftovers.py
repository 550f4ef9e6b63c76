# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Everything that goes when a node is given back, in the order in which it must go.

Each step looks for itself, so a reset that died anywhere is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import INITIALISED, TRACES, Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import CACHE
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import ceph, network, processes, storage
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset.rules import Nftables, Rules
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import DATA, disks
from ansible_collections.ohmykube.cluster.plugins.module_utils.service import Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

_KUBELET = "kubelet"
_CONTAINERD = "containerd"
# kubeadm, kubectl, the kubelet and the pod network make these; nobody else on a node uses them.
_FOLDERS = (
    "/etc/kubernetes",
    "/run/cilium",
    "/run/flannel",
    "/sys/fs/bpf/cilium",  # what is pinned there lets go of interfaces when it goes
    "/usr/libexec/kubernetes",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    CACHE,
)
_CONTAINERD_FOLDERS = ("/opt/containerd", "/run/containerd", "/run/nri", "/var/lib/containerd")
# flannel's, in folders that others may share.
_SHARED = ("/var/lib/cni/flannel", "/var/lib/cni/networks/cbr0")
_FILES = (
    network.CONFIG,
    network.CILIUM_CONFIG,
    "/etc/sysctl.d/99-zzz-override_cilium.conf",
    "/opt/cni/bin/cilium-cni",
    "/opt/cni/bin/flannel",
)
# Pods' mounts of paths of the host make these where they are missing.
_EMPTY = (
    "/etc/cni/net.d",
    "/etc/cni",
    "/run/netns",
    "/usr/lib/modules",
    "/var/lib/cni/networks",
    "/var/lib/cni/results",
    "/var/lib/cni",
)


@dataclass(frozen=True)
class Step:
    """what: a line for people. find: what is there, a line each. remove: takes it away.

    certain: nothing may be found afterwards; otherwise later steps see to the rest.
    """

    what: str
    find: Callable[[], list[str]]
    remove: Callable[[], None]
    certain: bool = True


def clear(host: Host, nftables: Nftables, folders: Sequence[str], *, dry_run: bool) -> list[Change]:
    """Give the machine back; what was there, step by step. What no role of ours has put there is left alone.

    folders: further ones, of volumes for instance, that are wiped. dry_run: only look.
    """
    done: list[Change] = []
    for step in _steps(host, nftables, folders):
        found = step.find()
        if not found:
            continue
        done.append(Change(step.what, "".join(f"{line}\n" for line in found), "", step.remove))
        if not dry_run:
            step.remove()
            if step.certain and (left := step.find()):
                raise OhmykubeError(
                    "reset.incomplete",
                    f"{step.what}: it is still there: {', '.join(left)}",
                    hint="run it again; if it stays, reboot the machine and run it once more",
                )
    return done


def _steps(host: Host, nftables: Nftables, folders: Sequence[str]) -> list[Step]:
    kubernetes = Record.read(host, _KUBELET) != Record()
    runtime = Record.read(host, _CONTAINERD) != Record()  # else it is somebody else's, with containers of theirs
    wiped = [
        *((*_FOLDERS, *_SHARED, *folders) if kubernetes else ()),
        *((DATA,) if disks.records(host) else ()),  # else it is not of this cluster
        *(_CONTAINERD_FOLDERS if runtime else ()),
    ]
    rules = Rules(host, nftables)

    def step(what: str, find: Callable[..., list[str]], remove: Callable[..., None], *options: Any) -> Step:
        return Step(what, partial(find, host, *options), partial(remove, host, *options))

    cluster = [
        step("kubeadm ended", processes.installers, processes.end_installers),
        # Before anything else: a control plane of which something is missing must not be taken for a finished one.
        step("control plane forgotten", storage.files, storage.remove_files, (INITIALISED,)),
        step("kubelet stopped", _running, _stop, _KUBELET),
        # Before kubeadm unmounts them: where other nodes are reset too, nobody answers any more.
        step("volumes of Ceph let go", ceph.volumes, ceph.let_go, wiped),
        Step("kubeadm reset", partial(storage.files, host, TRACES), partial(_kubeadm_reset, host), certain=False),
    ]
    containers = [
        *([step("containerd stopped", _running, _stop, _CONTAINERD)] if runtime else []),
        step("containers killed", processes.find, processes.kill, runtime),
        step("mounts removed", storage.mounts, storage.unmount, wiped, runtime),
        step("network namespaces removed", storage.namespaces, storage.remove_namespaces),
    ]
    pods = [
        step("routes removed", network.routes, network.remove_routes),
        step("interfaces removed", network.links, network.remove_links),
        Step("packet rules removed", rules.find, rules.remove),
        step("files removed", _files, _remove_files),
        step("cgroups removed", processes.cgroups, processes.remove_cgroups),
    ]
    return [
        *(cluster if kubernetes else []),
        *(containers if kubernetes or runtime else []),
        *(pods if kubernetes else []),
        step("Ceph's disks emptied", disks.given, disks.empty),
        step("folders removed", storage.folders, storage.wipe, wiped),
        step("Ceph's disks forgotten", disks.records, disks.forget),
        *([step("empty folders removed", storage.empty, storage.rmdir, _EMPTY)] if kubernetes else []),
    ]


def _kubeadm_reset(host: Host) -> None:
    """Ends pods in order and frees their addresses. What it cannot do, because half of a node is gone, the steps after
    it do by force."""
    try:
        Kubeadm(host).reset()
    except OhmykubeError as error:
        if not error.code.startswith(("kubeadm.", "command.")):
            raise


def _running(host: Host, name: str) -> list[str]:
    states = Systemd(host).show([f"{name}.service"])
    return [f"{state.name} {state.active}" for state in states if state.active not in ("inactive", "failed")]


def _stop(host: Host, name: str) -> None:
    Systemd(host).call("stop", f"{name}.service")


def _files(host: Host) -> list[str]:
    """iptables' lock too, which the kubelet makes for pods, where nobody has tables that it is for."""
    legacy = any(host.read(f"/proc/net/{family}_tables_names") for family in ("ip", "ip6"))
    results = sorted(host.path("/var/lib/cni/results").glob("cbr0-*")) + sorted(
        host.path("/var/lib/cni/results").glob("cni-loopback-*")
    )
    remembered = [f"/var/lib/cni/results/{path.name}" for path in results]
    config = host.path(network.CONFIG)  # flannel's pod may have been killed while it wrote it
    parts = [f"{PurePosixPath(network.CONFIG).parent}/{path.name}" for path in config.parent.glob(f".{config.name}.*")]
    return storage.files(host, [*_FILES, *parts, *remembered, *([] if legacy else ["/run/xtables.lock"])])


def _remove_files(host: Host) -> None:
    storage.remove_files(host, _files(host))
