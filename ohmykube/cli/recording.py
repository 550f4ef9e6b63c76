"""What is kept of a verb while it holds a cluster, and the report that is made of it."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from ohmykube import __version__
from ohmykube.cli.clusters import Clusters
from ohmykube.cli.output import LogNotes
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import MachineSpec
from ohmykube.model.spec import Cluster
from ohmykube.report import expected, page
from ohmykube.report.record import FILE, Recorder, Tee, outcome_of
from ohmykube.report.run import Run, read
from ohmykube.store import atomic
from ohmykube.store.home import ClusterFolder

PAGE = "report.html"
Parts = Callable[[], Iterable[tuple[str, str, int]]]
_MAKING = ("up", "add")  # the verbs after which it is of interest what the cluster is made from


@contextmanager
def recorded(session: Clusters, folder: ClusterFolder, verb: str, parts: Parts) -> Iterator[None]:
    """Record all that the verb tells, and make the report when it has ended, however it did.

    parts: name, version and bytes of what the cluster is made from.
    """
    durations = session.home.path / expected.FILE
    first = {"verb": verb, "cluster": folder.name, "version": __version__}
    recorder = Recorder(partial(folder.new_run, verb.replace(" ", "-")), first)
    notes, before = LogNotes(recorder), (session.events, session.recorder)
    logging.getLogger("ohmykube").addHandler(notes)
    session.recorder = recorder
    session.events = Tee(session.events, recorder, expected.read(durations, verb))
    try:
        with outcome_of(recorder):
            yield
            if verb in _MAKING:
                _write(parts, recorder)
    finally:
        logging.getLogger("ohmykube").removeHandler(notes)
        session.events, session.recorder = before
        _finish(recorder, durations)


def about(cluster: Cluster, machines: Sequence[MachineSpec]) -> dict[str, Any]:
    """What the report's head says."""
    spec = cluster.spec
    return {
        "kind": "about",
        "kubernetes": spec.kubernetes_version,
        "provider": spec.provider,
        "network": spec.network.cni,
        "nodes": [machine.name for machine in machines],
    }


def run_of(folder: Path) -> Run:
    """What the record in the folder of a run says."""
    try:
        with (folder / FILE).open(encoding="utf-8", errors="replace") as lines:
            return read(folder.name, lines)
    except OSError as error:
        words = f"{folder / FILE} cannot be read: {error.strerror}"
        raise OhmykubeError("report.unreadable", words, hint="`ohmykube report --list` shows the others") from error


def _write(parts: Parts, recorder: Recorder) -> None:
    with suppress(OhmykubeError):
        for name, version, size in parts():
            recorder.write({"kind": "part", "name": name, "version": version, "bytes": size})


def _finish(recorder: Recorder, durations: Path) -> None:
    """`down` has taken the record away with its cluster; what its phases took is learned all the same."""
    if recorder.folder is None:
        return
    run = read(recorder.folder.name, recorder.lines)
    if run.outcome == "ok":
        expected.learn(durations, run)
    if recorder.folder.exists():
        with suppress(OSError):
            atomic.write(recorder.folder / PAGE, page.render(run))
