"""logs: one archive with all that a bug report needs."""

import json
import os
import platform
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ohmykube.cli.about import versions
from ohmykube.cli.doctor import findings_of
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.logs import archive, objects, sources
from ohmykube.logs.sources import Missing, Source
from ohmykube.model.machines import Machine, MachineSpec, wanted
from ohmykube.model.quantity import human_bytes
from ohmykube.model.result import Result
from ohmykube.store.home import ClusterFolder


@click.command(
    "logs",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube logs                     dev-logs-20261004T101500.tar.gz, here
  ohmykube logs --name dev bug.tgz
""",
)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def logs_command(session: Session, /, file: Path | None) -> Result:
    """Collect all that a bug report needs in one archive, FILE, without secrets.

    Logs of nodes and runs, the state of the cluster, and what `doctor` finds. Keys, passwords and tokens are taken out;
    names, addresses and paths stay. What could not be had is named, and the exit code is 3 then.
    """
    folder = session.folder()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    top = f"{folder.name}-logs-{stamp}"
    path = file or Path(f"{top}.tar.gz")
    if not os.access(path.absolute().parent, os.W_OK):
        hint = "name another FILE"
        raise OhmykubeError("file.unwritable", f"{path} cannot be written", hint=hint, exit_code=2)
    began = time.monotonic()
    with archive.create(path, top) as made:
        missing = _gather(session, folder, made)
    size = path.stat().st_size
    data = {
        "file": str(path),
        "entries": made.entries,
        "bytes": size,
        "seconds": round(time.monotonic() - began, 1),
        "missing": [asdict(each) for each in missing],
    }
    lines = [f"{path}: {made.entries} entries, {human_bytes(size)}"]
    lines += [f"  not had: {each.entry}: {each.reason}" for each in missing]
    return Result("logs", data, text="\n".join(lines), status="partial" if missing else "ok")


def _gather(session: Session, folder: ClusterFolder, made: archive.Archive) -> list[Missing]:
    """Everything, and last of all a list of what could not be had."""
    missing: list[Missing] = []
    specs, machines = _machines(session, folder, missing)
    targets = {each.name: each.ssh for each in machines if each.ssh and each.status == "running"}
    missing += [Missing(f"nodes/{spec.name}", "it does not run") for spec in specs if spec.name not in targets]
    planes = [targets[spec.name] for spec in specs if spec.role == "control-plane" and spec.name in targets]
    nodes = [sources.remote(f"nodes/{name}", target, sources.NODE) for name, target in targets.items()]
    local = _local(session, folder, [machine.name for machine in machines])
    missing += sources.collect(made, [*local, *nodes, sources.cluster(planes)])
    made.add_text("missing.json", _json([asdict(each) for each in missing]))
    return missing


def _machines(
    session: Session, folder: ClusterFolder, missing: list[Missing]
) -> tuple[tuple[MachineSpec, ...], list[Machine]]:
    """As wished, and as seen. A record that cannot be read is what may be reported, so it ends nothing."""
    try:
        cluster = session.stored(folder)
        return wanted(cluster), session.provider(cluster, folder).machines()
    except OhmykubeError as error:
        missing.append(Missing("nodes", error.message))
        return (), []


def _local(session: Session, folder: ClusterFolder, machines: list[str]) -> list[Source]:
    """What is on this computer."""
    state = {path.name: path for path in (folder.state_file,) if path.exists()}
    lima = session.home.path / "lima"
    logs = {**dict(sources.of_runs(folder.path / "runs")), **dict(sources.of_machines(folder.path, lima, machines))}
    return [
        sources.text("about.json", lambda: _json(_about(session))),
        sources.text("doctor.json", lambda: _json([finding.as_data() for finding in findings_of(session)])),
        sources.text("cluster.yaml", lambda: objects.clean(folder.spec_file.read_text())),
        sources.files({**state, **logs}),
    ]


def _about(session: Session) -> dict[str, Any]:
    system = {"platform": platform.platform(), "python": platform.python_version()}
    return {**versions(session), **system, "time": datetime.now(UTC).isoformat(timespec="seconds")}


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
