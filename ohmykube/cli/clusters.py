"""The clusters of this home: which one is meant, where it lies, and who may work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ohmykube.cli.settings import Settings
from ohmykube.errors import OhmykubeError
from ohmykube.model.document import nearest
from ohmykube.model.names import cluster_name
from ohmykube.phases.base import Event, Events
from ohmykube.store import lock
from ohmykube.store.home import ClusterFolder, Home

if TYPE_CHECKING:  # reports take long to import, and are of no use to verbs that only look
    from ohmykube.report.record import Recorder

LOCK_TIMEOUT = 600.0  # seconds that a verb waits for another on the same cluster


@dataclass
class Clusters:
    """Of one call of the command line."""

    settings: Settings
    events: Events
    recorder: Recorder | None = field(default=None, init=False)  # while a cluster is held

    @cached_property
    def home(self) -> Home:
        home = Home.from_environment()
        home.make()
        return home

    @property
    def name(self) -> str:
        """The cluster meant: --name, else the current one, else `ohmykube`."""
        return cluster_name(self.settings.name or self.home.current() or "ohmykube")

    def steps(self, phase: str) -> Callable[[str], None]:
        """Where somebody who works outside a plan tells how far it is."""
        return lambda text: self.events(Event("step", phase, text))

    def folder(self, name: str = "") -> ClusterFolder:
        """The folder of an existing cluster, the one meant where none is named; OhmykubeError `cluster.unknown`."""
        folder = self.home.cluster(cluster_name(name) if name else self.name)
        if not folder.exists():
            known = [other.name for other in self.home.clusters()]
            hint = nearest(folder.name, known) if known else "`ohmykube up` makes one"
            raise OhmykubeError("cluster.unknown", f"there is no cluster {folder.name!r}", hint=hint, exit_code=2)
        return folder

    def finished(self, folder: ClusterFolder) -> None:
        """Raise OhmykubeError `cluster.unfinished` where the API server has never called the whole cluster ready."""
        if not self.made(folder):
            hint = f"`ohmykube up --name {folder.name}` finishes it"
            raise OhmykubeError("cluster.unfinished", f"{folder.name} is not ready yet", hint=hint)

    @staticmethod
    def made(folder: ClusterFolder) -> bool:
        """Whether the API server has called the whole cluster ready once."""
        state = folder.read_state()
        return state is not None and bool(state.ready)

    @contextmanager
    def locked(self, name: str, verb: str) -> Iterator[ClusterFolder]:
        """Hold the cluster's lock; a folder that never became a cluster is removed again."""
        folder = self.home.cluster(name)

        def waiting(holder: str) -> None:
            self.events(Event("note", "", f"waiting for {holder}"))

        with lock.hold(folder.path / "lock", verb, timeout=LOCK_TIMEOUT, waiting=waiting):
            try:
                yield folder
            finally:
                if folder.path.exists() and not folder.exists():
                    folder.remove()
