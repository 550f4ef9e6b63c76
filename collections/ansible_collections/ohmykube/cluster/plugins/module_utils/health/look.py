# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Everything about one node, seen side by side, so that what hangs takes no longer than the slowest of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import (
    certificates,
    cluster,
    control_plane,
    dns,
    resources,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import KUBELET
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

SERVICES = ("containerd.service", "kubelet.service")
CNI = "/etc/cni/net.d"
CONTAINER = "/run/systemd/container"  # systemd writes there what it runs in


def look(host: Host) -> dict[str, Any]:
    """What the module node_health returns. What is asked for in vain is told as words and is no error."""
    now = time.time()
    joined = host.path(KUBELET).exists()
    told = {"time": now, "own_clock": not host.path(CONTAINER).exists(), "joined": joined}
    looks: dict[str, Callable[[], Any]] = {
        "services": lambda: services(host),
        "disks": lambda: resources.disks(host),
        "memory": lambda: resources.memory(host),
        "certificates": lambda: [asdict(each) for each in certificates.look(host)],
        "pod_network": lambda: pod_network(host),
    }
    if joined:
        looks["dns"] = lambda: dns.look(host)
    if host.path(control_plane.API_SERVER).exists():
        kubectl = Kubectl(host)
        looks |= {
            "api_server": lambda: control_plane.api_server(host),
            "etcd": lambda: control_plane.etcd(host),
            "cluster": lambda: _in_words(lambda: cluster.nodes_and_workloads(kubectl)),
            "dns_endpoints": lambda: _in_words(lambda: {"count": cluster.dns_endpoints(kubectl)}),
        }
    with ThreadPoolExecutor(len(looks)) as pool:
        futures = {name: pool.submit(one) for name, one in looks.items()}
        return {**told, **{name: future.result() for name, future in futures.items()}}


def services(host: Host) -> dict[str, str]:
    """The state of each, as systemd calls it: active, inactive, failed, activating; not-found where there is none."""
    states = Systemd(host).show(SERVICES)
    return {
        state.name.removesuffix(".service"): state.active if state.load == "loaded" else state.load for state in states
    }


def pod_network(host: Host) -> list[str]:
    """Configurations that containerd would use, by name; the first one counts."""
    folder = host.path(CNI)
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(file.name for file in found if file.suffix in (".conf", ".conflist", ".json"))


def _in_words(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"problem": "", **ask()}
    except OhmykubeError as error:
        return {"problem": error.message}
