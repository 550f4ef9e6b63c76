# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A slow and lossy network: netem on every interface that leads to the peers, for all that is sent there."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.partition import addresses
from ansible_collections.ohmykube.cluster.plugins.module_utils.faults.plan import DELAY, LOSS, PEERS, Argv, Plan, Record
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_HANDLE = "6f6d:"  # ours among queues
_DEFAULT = "0:"  # of those that the kernel puts there by itself
_TIMEOUT = 10  # seconds


class Delay:
    def plan(self, host: Host, options: dict[str, object], seconds: float) -> Plan:
        setting = ["netem", "delay", f"{options[DELAY]:g}ms"]
        if options[LOSS]:
            setting += ["loss", f"{options[LOSS]:g}%"]
        interfaces = sorted({_interface(host, peer) for peer in addresses(options[PEERS])})
        _refuse_without_netem(host, setting)
        _refuse_queues_of_others(host, interfaces)

        def apply() -> None:
            for interface in interfaces:
                host.command(
                    ["tc", "qdisc", "replace", "dev", interface, "root", "handle", _HANDLE, *setting], _TIMEOUT
                )

        return Plan("delay", f"{' '.join(setting[1:])} on {', '.join(interfaces)}", apply, _undo(interfaces))

    def found(self, host: Host, record: Record | None) -> bool:
        return any(queue["handle"] == _HANDLE for queue in _queues(host))

    def strays(self, host: Host) -> tuple[Argv, ...]:
        return _undo([queue["dev"] for queue in _queues(host) if queue["handle"] == _HANDLE])


def _undo(interfaces: Sequence[str]) -> tuple[Argv, ...]:
    return tuple(("tc", "qdisc", "delete", "dev", interface, "root", "handle", _HANDLE) for interface in interfaces)


def _interface(host: Host, peer: str) -> str:
    done = host.run(["ip", "-json", "route", "get", peer], _TIMEOUT)
    if done.code:
        raise OhmykubeError("fault.peers", f"this machine has no route to {peer}: {done.stderr.strip()}")
    return str(json.loads(done.stdout)[0]["dev"])


def _refuse_without_netem(host: Host, setting: list[str]) -> None:
    """Asked of the kernel itself, in a network namespace that ends with the question."""
    done = host.run(["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", *setting], _TIMEOUT)
    if done.code:
        raise OhmykubeError(
            "fault.kernel",
            f"kernel {host.release} cannot delay packets, as it has no sch_netem: {done.stderr.strip()}",
            hint="install the kernel's modules (on Ubuntu linux-modules-extra-$(uname -r)); system containers need it"
            " in the kernel of the computer that they run on",
            context={"kernel": host.release, "output": done.stderr.strip()},
        )


def _refuse_queues_of_others(host: Host, interfaces: list[str]) -> None:
    for queue in _queues(host):
        if queue["dev"] in interfaces and queue.get("root") and queue["handle"] not in (_DEFAULT, _HANDLE):
            raise OhmykubeError(
                "fault.queue",
                f"{queue['dev']} has a queue already that somebody has set up: {queue['kind']} {queue['handle']}",
                hint=f"take it away there first: tc qdisc delete dev {queue['dev']} root",
            )


def _queues(host: Host) -> list[dict[str, str]]:
    done = host.run(["tc", "-json", "qdisc", "show"], _TIMEOUT)
    return list(json.loads(done.stdout)) if done.code == 0 and done.stdout.strip() else []
