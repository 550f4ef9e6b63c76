"""Faults on a node, which keeps them, ends them and tells of them itself: the module `node_fault`, asked over ssh."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ohmykube import nodes
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget

_MODULE = "node_fault"
_TIMEOUT = 30.0  # seconds for a node to answer
_FILLING = 120.0  # seconds more that a large disk may take until it is full


@dataclass(frozen=True)
class Fault:
    """One that is in force. seconds: that it still lasts; None where nobody knows."""

    node: str
    kind: str
    detail: str
    seconds: float | None


def begin(machine: Machine, kind: str, seconds: float, **options: object) -> Fault:
    """Raises OhmykubeError `fault.*` where the machine cannot have it, `chaos.off` or `ssh.unreachable`."""
    timeout = _TIMEOUT + min(seconds, _FILLING)
    said = _ask(machine, {"fault": kind, "seconds": seconds, **options}, timeout=timeout)
    return Fault(machine.name, kind, said["changes"][0].rpartition(" for ")[0], seconds)


def heal(machine: Machine) -> list[Fault]:
    """End all of them; those that were in force."""
    return _faults(machine, _ask(machine, {"state": "absent"}))


def in_force(machine: Machine) -> list[Fault]:
    """As the machine itself shows them now."""
    return _faults(machine, _ask(machine, {"state": "absent"}, check_mode=True))


def _ask(
    machine: Machine, options: Mapping[str, object], *, timeout: float = _TIMEOUT, check_mode: bool = False
) -> dict[str, Any]:
    """Errors of the module speak of "this machine", so they are given its name."""
    try:
        return nodes.ask(_target(machine), _MODULE, options, timeout=timeout, check_mode=check_mode)
    except OhmykubeError as error:
        error.message = f"{machine.name}: {error.message}"
        error.context["node"] = machine.name
        raise


def _faults(machine: Machine, said: Mapping[str, Any]) -> list[Fault]:
    return [Fault(node=machine.name, **fault) for fault in said["faults"]]


def _target(machine: Machine) -> SshTarget:
    if machine.ssh is None or machine.status != "running":
        hint = "`ohmykube chaos status` shows whether its power is cut"
        raise OhmykubeError("chaos.off", f"the machine is {machine.status}", hint=hint)
    return machine.ssh
