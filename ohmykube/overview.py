"""How a cluster is now: its machines asked of the provider, and meanwhile all else of the API server."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget
from ohmykube.providers.base import Provider

_TIMEOUT = 12.0  # seconds for the answer of one control plane
_SILENT = "the API server does not answer"
Said = Mapping[str, Any]


@dataclass(frozen=True)
class Overview:
    """said: what module cluster_overview returned on the control plane `teller`; nothing where none answered.

    problem: why the API server did not answer; empty where it did.
    """

    machines: Sequence[Machine]
    said: Said = field(default_factory=dict)
    teller: str = ""
    problem: str = ""


def look(
    provider: Provider, planes: Sequence[str], recorded: Sequence[Machine], ask: Callable[..., dict[str, Any]]
) -> Overview:
    """The first control plane that answers tells of all.

    planes: their names. recorded: how they were seen last, so that they are asked before the provider has told where
    they are. ask: as `nodes.ask`.
    """
    race = _Race(ask)
    race.enter(recorded)
    machines = provider.machines()
    seen = {machine.name: machine for machine in machines}
    running = [seen[name] for name in planes if name in seen and seen[name].status == "running"]
    race.enter(running)
    return race.first(machines, running)


class _Race:
    """Threads that nobody waits for at the end: a machine that hangs must not hold the answer back."""

    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask
        self._entered: dict[SshTarget, Future[Said]] = {}
        self._ended: SimpleQueue[Future[Said]] = SimpleQueue()

    def enter(self, machines: Sequence[Machine]) -> None:
        """Ask them, unless they were asked already."""
        for target in (machine.ssh for machine in machines):
            if target and target not in self._entered:
                self._entered[target] = Future()
                threading.Thread(target=self._run, args=(target,), daemon=True).start()

    def first(self, machines: Sequence[Machine], running: Sequence[Machine]) -> Overview:
        """The answer of one that runs; where the API server answers none of them, what the last one said of that."""
        names = {self._entered[machine.ssh]: machine.name for machine in running if machine.ssh}
        best = Overview(machines, problem="no control plane runs")
        while names:
            ended = self._ended.get()
            name = names.pop(ended, "")
            if not name:  # it does not run any more, whoever answered there
                continue
            try:
                said = ended.result()
            except OhmykubeError as error:
                best = replace(best, problem=f"{_SILENT}: {error}")
            else:
                if not said["problem"]:
                    return Overview(machines, said, name)
                best = Overview(machines, said, name, f"{_SILENT}: {said['problem']}")
        return best

    def _run(self, target: SshTarget) -> None:
        future = self._entered[target]
        try:
            future.set_result(self._ask(target, "cluster_overview", timeout=_TIMEOUT))
        except BaseException as error:  # noqa: BLE001 - raised again where somebody hears it
            future.set_exception(error)
        self._ended.put(future)
