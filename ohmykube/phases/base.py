"""What a phase is, what it may use, and how a plan of them runs.

A phase asks the world whether it is needed and says what it does; resuming after any death is simply running the plan
again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ohmykube import sockets
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import MachineSpec, SshTarget
from ohmykube.phases.parallel import in_parallel
from ohmykube.providers.base import Provider
from ohmykube.store.home import ClusterFolder
from ohmykube.store.machine_images import MachineImages
from ohmykube.store.state import State

if TYPE_CHECKING:  # verbs that run no phase tell of theirs too
    from ohmykube.model.spec import Cluster

Steps = Callable[[str], None]  # told what is being done


@dataclass(frozen=True)
class Event:
    """One line of progress. kind: `start`, `done`, `skip`, `fail` of a phase; `step` within it; `note` for a person.

    expected: seconds that a phase which starts took in earlier runs; 0 while nobody knows.
    `task`: the end of what a step began on a node, with its seconds and `status`: ok, changed, skipped, failed or
    unreachable.
    """

    kind: str
    phase: str
    text: str = ""
    node: str = ""
    seconds: float = 0.0
    status: str = ""
    expected: float = 0.0


class Events(Protocol):
    def __call__(self, event: Event) -> None:
        """Show or record it; may be called from several threads."""
        ...


class Playbooks(Protocol):
    """Ansible, as the phases see it."""

    def run(
        self,
        playbook: str,
        on_step: Callable[[str, str], None],
        *,
        on_end: Callable[[str, str, str, float], None] | None = None,
        variables: Mapping[str, Any] | None = None,
        limit: Sequence[str] = (),
        stop: Callable[[], OhmykubeError | None] = lambda: None,
        before: Future[None] | None = None,
    ) -> int:
        """Run a playbook of the collection (`site`) for the cluster; the number of tasks that changed something.

        on_step(node, text) is told what begins, on_end(node, text, status, seconds) what has ended.
        variables: above all others; nothing secret. limit: names of nodes.
        stop: asked every second whether something has made the rest pointless; ends the run with that error.
        before: what has to end well before a machine is looked at; Ansible starts meanwhile. Its error is raised.
        Raises OhmykubeError with node, task and the task's own words.
        """
        ...


class Artifacts(Protocol):
    """What the cluster is made from, in the cache of this computer."""

    def missing(self, cluster: Cluster) -> list[OhmykubeError]:
        """What is neither cached nor reachable; found within seconds, nothing is downloaded."""
        ...

    def complete(self, cluster: Cluster) -> bool:
        """Whether every package and manifest is in the cache."""
        ...

    def digest(self, cluster: Cluster) -> str:
        """Of the packages, and the images of Kubernetes and the pod network, by content; empty while one is not cached.

        Whatever else a node runs is pushed to one that lacks it.
        """
        ...

    def fetch(self, cluster: Cluster, on_step: Callable[[str], None]) -> None:
        """Bring every package and manifest of the cluster into the cache."""
        ...

    def images_complete(self, cluster: Cluster) -> bool:
        """Whether all images that the cluster runs are known and in the cache, or none may be pulled."""
        ...

    def fetch_images(self, cluster: Cluster, on_step: Callable[[str], None]) -> tuple[int, list[OhmykubeError]]:
        """Bring its images into the cache: how many are new, and why others cannot be had (`image` in the context)."""
        ...


@dataclass
class Context:
    """What a verb works on. `state`, `changed` and `before` are the only things that change on the way.

    names: the machines that the verb works on; empty for all.
    before: what the next playbook has to wait for.
    interrupted: set by Ctrl-C, which Python brings to the main thread alone, for the threads beside it.
    """

    cluster: Cluster
    folder: ClusterFolder
    provider: Provider
    playbooks: Playbooks
    artifacts: Artifacts
    events: Events
    machine_images: MachineImages
    machines: tuple[MachineSpec, ...]
    parallel: int
    names: tuple[str, ...] = ()
    kubeconfig: Path | None = None  # the user's own file, where a context is to be merged into it
    state: State = field(default_factory=lambda: State(cluster="", provider=""))
    changed: int = 0
    before: Future[None] | None = None
    interrupted: threading.Event = field(default_factory=threading.Event)

    @property
    def targets(self) -> tuple[MachineSpec, ...]:
        return tuple(machine for machine in self.machines if not self.names or machine.name in self.names)

    def shared(self, target: SshTarget) -> SshTarget:
        """The same machine, through the connection that the verb keeps to it, if there is one."""
        return replace(target, sockets=sockets.place(self.folder.path))

    def go_on(self) -> None:
        """Raises KeyboardInterrupt where a person wants all of it to end."""
        if self.interrupted.is_set():
            raise KeyboardInterrupt

    def step(self, phase: str, text: str, node: str = "") -> None:
        """Tell it, and go on."""
        self.go_on()
        self.events(Event("step", phase, text, node))

    @contextmanager
    def task(self, phase: str, text: str, node: str) -> Iterator[None]:
        """A step on a node whose end is told too."""
        self.step(phase, text, node)
        started, status = time.monotonic(), "failed"
        try:
            yield
            status = "ok"
        finally:
            self.events(Event("task", phase, text, node, time.monotonic() - started, status))

    def play(
        self,
        phase: str,
        playbook: str,
        *,
        variables: Mapping[str, Any] | None = None,
        limit: Sequence[str] = (),
        stop: Callable[[], OhmykubeError | None] = lambda: None,
    ) -> None:
        """Run a playbook, tell its tasks as those of the phase, and count what it changed."""
        self.changed += self.playbooks.run(
            playbook,
            lambda node, text: self.step(phase, text, node),
            on_end=lambda node, text, status, seconds: self.events(Event("task", phase, text, node, seconds, status)),
            variables=variables,
            limit=limit,
            stop=stop,
            before=self.before,
        )


class Phase(Protocol):
    """`title` reads as a progress line."""

    @property
    def title(self) -> str: ...

    def needed(self, context: Context) -> bool:
        """Ask the world; must not change it."""
        ...

    def run(self, context: Context) -> None:
        """Do it; raises OhmykubeError. What it changes is counted in `context.changed`."""
        ...


def execute(plan: Sequence[Phase], context: Context) -> None:
    """Run the phases in order, telling what happens; the first error ends it."""
    for phase in plan:
        _execute_one(phase, context)


@dataclass(frozen=True)
class Together:
    """Phases that do not need each other run side by side; all finish before an error is raised."""

    phases: tuple[Phase, ...]

    @property
    def title(self) -> str:
        return " and ".join(phase.title for phase in self.phases)

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        workers = len(self.phases)
        in_parallel(
            self.phases, lambda phase: _execute_one(phase, context), workers=workers, interrupted=context.interrupted
        )


@dataclass(frozen=True)
class Overlapped:
    """A phase that runs a playbook, and the one before it: Ansible starts while `first` runs, and waits for its end."""

    first: Phase
    then: Phase

    @property
    def title(self) -> str:
        return f"{self.first.title} and {self.then.title}"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        with ThreadPoolExecutor(1) as pool:
            context.before = pool.submit(_execute_one, self.first, context)
            try:
                _execute_one(self.then, context)
            except KeyboardInterrupt:
                context.interrupted.set()
                raise
            finally:
                context.before = None


def _execute_one(phase: Phase, context: Context) -> None:
    if isinstance(phase, Together | Overlapped):
        phase.run(context)
        return
    started = time.monotonic()
    if not phase.needed(context):
        context.events(Event("skip", phase.title))
        return
    context.events(Event("start", phase.title))
    try:
        phase.run(context)
    except BaseException:
        vain = context.before and context.before.done() and context.before.exception()
        kind = "skip" if vain else "fail"  # what it waited for has failed, and says so itself
        context.events(Event(kind, phase.title, seconds=time.monotonic() - started))
        raise
    context.events(Event("done", phase.title, seconds=time.monotonic() - started))
