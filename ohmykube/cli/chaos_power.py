"""The power of machines, cut for a while: what the verbs of `chaos` do with the provider and the cluster's lock."""

import os
import sys
import time
from collections.abc import Sequence
from functools import cached_property

from ohmykube.chaos.power import PowerCut, PowerCuts
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.document import nearest
from ohmykube.model.machines import Machine
from ohmykube.phases.base import Event
from ohmykube.providers.base import Provider

_TRIES = 100  # to switch a machine on: other verbs may hold the cluster, or what all clusters share
_PAUSE = 3.0  # seconds between them


class Nodes:
    """The machines of the session's cluster, as its provider sees them now."""

    def __init__(self, session: Session) -> None:
        self._folder = session.folder()
        self.provider: Provider = session.provider(session.stored(self._folder), self._folder)
        self.cuts = PowerCuts(self._folder)

    @cached_property
    def machines(self) -> dict[str, Machine]:
        return {machine.name: machine for machine in self.provider.machines()}

    def get(self, name: str) -> Machine:
        """Raises OhmykubeError `node.unknown`."""
        if name not in self.machines:
            hint = nearest(name, self.machines)
            message = f"{self._folder.name} has no node {name!r}"
            raise OhmykubeError("node.unknown", message, hint=hint, exit_code=2)
        return self.machines[name]

    def addresses(self, node: str, names: Sequence[str] = ()) -> list[str]:
        """Of these nodes; of all but `node`, where none is named. A machine that is off has its last known one."""
        self.get(node)
        others = [self.get(name) for name in names] or [each for each in self.machines.values() if each.name != node]
        state = self._folder.read_state()
        recorded = {each.name: each.seen.address for each in state.machines if each.seen} if state else {}
        found = [machine.address or recorded.get(machine.name, "") for machine in others if machine.name != node]
        if not all(found) or not found:
            message = f"{node} is alone: there is no other node, or none whose address is known"
            raise OhmykubeError("chaos.alone", message, hint="`ohmykube status` shows them", exit_code=2)
        return found


def power_off(session: Session, node: str, seconds: float) -> None:
    """Cut it, once a process waits to switch it on again. Raises OhmykubeError `chaos.off`, or the provider's."""
    with session.locked(session.folder().name, "chaos power-off"):
        nodes = Nodes(session)
        machine, cut = nodes.get(node), nodes.cuts.find(node)
        if machine.status != "running" and not cut:
            raise OhmykubeError("chaos.off", f"{node} is {machine.status} already", hint="`ohmykube start` starts it")
        nodes.cuts.arm(node, _argv(session, node, seconds), _environment(session))
        try:
            nodes.provider.cut_power(node)
        except OhmykubeError:
            nodes.cuts.forget(node)
            raise


def power_on(session: Session, node: str, seconds: float) -> bool:
    """In the process that waits: whether it was this one that switched the machine on."""
    cuts = PowerCuts(session.folder())
    cut = cuts.wait(node, seconds)
    for left in reversed(range(_TRIES)):
        try:
            return switch_on(session, cut)
        except OhmykubeError as error:
            if not left:
                raise
            session.events(Event("note", "", error.message))
            time.sleep(_PAUSE)
    return False


def switch_on(session: Session, cut: PowerCut) -> bool:
    """End the cut, unless somebody else has done so meanwhile, or taken the machine away; whether it was ended."""
    cuts = PowerCuts(session.home.cluster(session.name))
    if cuts.find(cut.node) != cut:  # asked before the lock, too: that one would make the folder of a cluster
        return False
    with session.locked(session.name, "chaos power-on") as folder:
        if not folder.exists() or cuts.find(cut.node) != cut:
            return False
        nodes = Nodes(session)
        machine = nodes.machines.get(cut.node)
        off = machine is not None and machine.status != "running"
        if off:
            nodes.provider.start(cut.node)
        cuts.forget(cut.node)
        return off


def _argv(session: Session, node: str, seconds: float) -> list[str]:
    """-P: nothing is imported from the folder that it runs in."""
    offline = ["--offline"] if session.settings.offline else []
    verb = [sys.executable, "-P", "-m", "ohmykube", "chaos", "power-on", node, f"--after={seconds}"]
    return [*verb, "--name", session.name, *offline]


def _environment(session: Session) -> dict[str, str]:
    """This process's, without flags that were meant for another verb."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OHMYKUBE_")}
    return {**kept, "OHMYKUBE_HOME": str(session.home.path)}
