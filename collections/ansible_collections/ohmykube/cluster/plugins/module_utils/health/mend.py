# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Remedies for what is found on a node. Each asks first whether it is needed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change
from ansible_collections.ohmykube.cluster.plugins.module_utils.health import certificates
from ansible_collections.ohmykube.cluster.plugins.module_utils.health.look import CONTAINER
from ansible_collections.ohmykube.cluster.plugins.module_utils.health.signing import renew_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import PATH, POLL, Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

_STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_STOP_TIMEOUT = 60  # seconds for the four of them
_READY_TIMEOUT = 120  # seconds until they are back


def services(host: Host, names: Sequence[str]) -> list[Change]:
    """Restart those that are not active, in the order given: what one needs comes first."""
    systemd = Systemd(host)
    units = [f"{name}.service" for name in names]
    down = [state for state in systemd.show(units) if state.active != "active"] if units else []
    return [
        Change(
            f"{state.name} restarted",
            f"{state.name} {state.active}\n",
            f"{state.name} active\n",
            partial(_restart, systemd, state.name),
        )
        for state in down
    ]


def clock(host: Host, ahead: float) -> list[Change]:
    """Set the clock back by so many seconds. One that is shared is not this node's to set: `clock.shared`."""
    if not ahead:
        return []
    if host.path(CONTAINER).exists():
        raise OhmykubeError(
            "clock.shared",
            "this machine is a container: its clock is that of the computer that it runs on",
            hint="set the clock of that computer",
        )
    return [Change("clock set", "", "", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time() - ahead))]


def renewal(host: Host, days: int) -> list[Change]:
    """Renew kubeadm's certificates where one of them ends within so many days, and restart what has read them."""
    limit = time.time() + days * certificates.DAY
    ending = [each for each in certificates.look(host) if each.kind == "kubeadm" and each.ends < limit]
    if not days or not ending:
        return []
    return [Change("certificates renewed", "", "", lambda: _renew(host))]


def _restart(systemd: Systemd, unit: str) -> None:
    """After many failures systemd would refuse."""
    systemd.call("reset-failed", unit)
    systemd.call("restart", unit)


def _renew(host: Host) -> None:
    renew_all(host)
    running = [
        identity
        for name in _STATIC_PODS
        for identity in host.command(["env", PATH, "crictl", "ps", "--quiet", "--name", f"^{name}$"]).split()
    ]
    if running:  # the kubelet starts them again
        host.command(["env", PATH, "crictl", "stop", *running], _STOP_TIMEOUT)
    deadline = time.monotonic() + _READY_TIMEOUT
    while not Kubectl(host).answers():
        if time.monotonic() > deadline:
            raise OhmykubeError(
                "certificates.restart",
                f"the certificates are new, but the API server does not answer after {_READY_TIMEOUT} s",
                hint="on the node: crictl ps -a; journalctl -u kubelet",
            )
        time.sleep(POLL)
