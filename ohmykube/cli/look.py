"""list and status: what is there, asked of the provider and of the API server."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result
from ohmykube.nodes import api_nodes
from ohmykube.phases.machines import running_planes
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


@click.command("status", cls=Verb, epilog="\b\nExamples:\n  ohmykube status\n  ohmykube status --name dev -o json")
@click.pass_obj
def status_command(session: Session, /) -> Result:
    """Show one cluster: its machines as the provider sees them, its nodes as the API server does."""
    folder = session.folder()
    cluster = session.stored(folder)
    context = session.context(cluster, folder)
    seen = {machine.name: machine for machine in context.provider.machines()}
    nodes, problem = api_nodes(running_planes(context))
    rows = []
    for spec in context.machines:
        machine = seen.get(spec.name)
        rows.append(
            {
                "name": spec.name,
                "role": spec.role,
                "machine": machine.status if machine else "missing",
                "address": machine.address if machine else "",
                "detail": machine.detail if machine else "",
                **nodes.get(spec.name, {"node": "unknown" if problem else "missing", "version": ""}),
            }
        )
    ready = all(row["node"] == "Ready" and row["machine"] == "running" for row in rows)  # the API server's word lags
    data = {
        "name": cluster.name,
        "provider": cluster.spec.provider,
        "kubernetesVersion": cluster.spec.kubernetes_version,
        "ready": ready,
        "problem": problem,
        "nodes": rows,
    }
    return Result("status", data, text=_status_text(data, rows))


def _row(session: Session, folder: ClusterFolder) -> dict[str, Any]:
    row: dict[str, Any] = {"current": "*" if folder.name == session.home.current() else "", "name": folder.name}
    try:
        cluster = session.stored(folder)
        machines = session.provider(cluster, folder).machines()
        running = sum(machine.status == "running" for machine in machines)
        state = folder.read_state()
        finished = state is not None and bool(state.ready)
        row |= {
            "provider": cluster.spec.provider,
            "version": cluster.spec.kubernetes_version,
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


def _status_text(data: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    from ohmykube.cli.output import table

    words = "ready" if data["ready"] else "not ready"
    head = f"{data['name']}: {words}. Kubernetes {data['kubernetesVersion']}, provider {data['provider']}"
    notes = [data["problem"], *(f"{row['name']}: {row['detail']}" for row in rows if row["detail"])]
    columns = ("name", "role", "machine", "address", "node", "version")
    return "\n".join([head, table(rows, columns), *(note for note in notes if note)])
