"""list: which clusters there are."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result
from ohmykube.store.home import ClusterFolder


@click.command("list", cls=Verb, epilog="\b\nExamples:\n  ohmykube list\n  ohmykube list -o json")
@click.pass_obj
def list_command(session: Session, /) -> Result:
    """Show all clusters, with the machines as their providers see them now."""
    folders = session.home.clusters()
    with ThreadPoolExecutor(max_workers=8) as pool:
        rows = list(pool.map(lambda folder: _row(session, folder), folders))
    columns = ("current", "name", "provider", "version", "machines", "running", "status")
    text = None if rows else "There is no cluster. `ohmykube up` makes one."
    return Result("list", rows, text=text, columns=columns)


def _row(session: Session, folder: ClusterFolder) -> dict[str, Any]:
    row: dict[str, Any] = {"current": "*" if folder.name == session.home.current() else "", "name": folder.name}
    try:
        spec, provider = session.glance(folder)
        machines = provider.machines()
        running = sum(machine.status == "running" for machine in machines)
        state = folder.read_state()
        finished = state is not None and bool(state.ready)
        row |= {
            "provider": spec["provider"],
            "version": spec["kubernetesVersion"],
            "machines": len(machines),
            "running": running,
        }
        if not finished:
            row["status"] = "unfinished"
        else:
            row["status"] = "running" if machines and running == len(machines) else "degraded" if running else "stopped"
    except OhmykubeError as error:
        row |= {"provider": None, "version": None, "machines": None, "running": None, "status": error.code}
    return row
