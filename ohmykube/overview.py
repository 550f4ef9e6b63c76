"""How a cluster is now: its machines asked of the provider, and meanwhile all else of the API server."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget
from ohmykube.providers.base import Provider

_TIMEOUT = 12.0  # seconds for the answer of one control plane
_PATIENCE = 1.0  # seconds until another one is asked, too
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

    planes: their names. recorded: how they were seen last, so that one is asked before the provider has told where they
    are. ask: as `nodes.ask`.
    """
    questions = _Questions(ask)
    questions.put([machine.ssh for machine in recorded if machine.ssh][:1])
    machines = provider.machines()
    seen = {machine.name: machine for machine in machines}
    running = [seen[name] for name in planes if name in seen and seen[name].status == "running"]
    return questions.answer(machines, {machine.ssh: machine.name for machine in running if machine.ssh})


class _Questions:
    """In threads that nobody waits for at the end: a machine that hangs must not hold the answer back."""

    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask
        self._asked: set[SshTarget] = set()
        self._ended: SimpleQueue[tuple[SshTarget, Future[Said]]] = SimpleQueue()

    def put(self, targets: Sequence[SshTarget]) -> None:
        for target in targets:
            self._asked.add(target)
            threading.Thread(target=self._run, args=(target,), daemon=True).start()

    def answer(self, machines: Sequence[Machine], running: Mapping[SshTarget, str]) -> Overview:
        """Of one of those that run, by their targets; where the API server answers none, what the last said of that.

        The next is asked when one has failed, or is silent.
        """
        waiting = [target for target in running if target not in self._asked]
        asked = [target for target in running if target in self._asked]
        best = Overview(machines, problem="no control plane runs")
        while asked or waiting:
            if waiting and not asked:
                asked.append(self._next(waiting))
            try:
                target, ended = self._ended.get(timeout=_PATIENCE if waiting else None)
            except Empty:
                asked.append(self._next(waiting))
                continue
            if target not in asked:  # it does not run any more, whoever answered there
                continue
            asked.remove(target)
            try:
                said = ended.result()
            except OhmykubeError as error:
                best = replace(best, problem=f"{_SILENT}: {error}")
            else:
                if not said["problem"]:
                    return Overview(machines, said, running[target])
                best = Overview(machines, said, running[target], f"{_SILENT}: {said['problem']}")
        return best

    def _next(self, waiting: list[SshTarget]) -> SshTarget:
        self.put(waiting[:1])
        return waiting.pop(0)

    def _run(self, target: SshTarget) -> None:
        future: Future[Said] = Future()
        try:
            future.set_result(self._ask(target, "cluster_overview", timeout=_TIMEOUT))
        except BaseException as error:  # noqa: BLE001 - raised again where somebody hears it
            future.set_exception(error)
        self._ended.put((target, future))
