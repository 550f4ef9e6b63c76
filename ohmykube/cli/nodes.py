"""add and delete: nodes of a cluster that is there."""

from dataclasses import replace
from typing import Any

import click

from ohmykube.cli import complete
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model import storage
from ohmykube.model.machines import Role, wanted
from ohmykube.model.members import DEFAULT_GROUP, Addition, add, is_gone, remove
from ohmykube.model.result import Result
from ohmykube.model.spec import Cluster
from ohmykube.nodes import api_nodes
from ohmykube.phases.base import Context, execute
from ohmykube.phases.machines import running_planes
from ohmykube.phases.nodes import DRAIN_TIMEOUT, Removal, roll_back
from ohmykube.plans import ADD, delete
from ohmykube.store.home import ClusterFolder


@click.command(
    "add",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube add                                 one node more, like the others
  ohmykube add --count 2 --group big --cpu 4 --memory 8
  ohmykube add --group gpu --label gpu=yes --taint gpu=yes:NoSchedule
  ohmykube add --role control-plane --count 2  one becomes one of three
""",
)
@click.option("--count", type=click.IntRange(1, 100), default=1, metavar="N", help="How many.  [default: 1]")
@click.option(
    "--role", type=click.Choice(["worker", "control-plane"]), default="worker", help="What they are.  [default: worker]"
)
@click.option("--group", default=DEFAULT_GROUP, metavar="NAME", help="Group of workers, a new one too.  [worker]")
@click.option("--cpu", type=click.IntRange(min=1), metavar="N", help="CPUs of each, in a new group.  [default: 1]")
@click.option("--memory", metavar="SIZE", help="Memory of each, in a new group; a bare number is GB.  [default: 2]")
@click.option("--disk", metavar="SIZE", help="Disk of each, in a new group.  [default: 10]")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Label of a new group (repeatable).")
@click.option("--annotation", "annotations", multiple=True, metavar="KEY=VALUE", help="Annotation (repeatable).")
@click.option("--taint", "taints", multiple=True, metavar="KEY=VALUE:EFFECT", help="Taint (repeatable).")
@click.pass_obj
def add_command(session: Session, /, count: int, role: Role, group: str, **flags: Any) -> Result:
    """Add nodes to a cluster, side by side. The other nodes are left alone.

    Where one does not become Ready it is taken away again, and the cluster is as before.
    """
    if role == "control-plane" and group != DEFAULT_GROUP:
        raise click.UsageError("control planes are of no group of workers: leave --group out")
    with session.locked(session.folder().name, "add") as folder:
        session.finished(folder)
        before = _settled(session, folder)
        cluster = add(before, Addition(count, group, _values(flags), role))
        raise_all(storage.changed(before, cluster))
        known = {machine.name for machine in wanted(before)}
        names = tuple(machine.name for machine in wanted(cluster) if machine.name not in known)
        context = session.context(session.checked(cluster), folder, names=names)
        context.state = replace(context.state, adding=names)
        try:
            execute(ADD, context)
        except OhmykubeError as error:
            raise roll_back(context, before, _ready(context), error) from error
        folder.write_state(replace(context.state, adding=()))
        addresses = {record.name: record.seen.address for record in context.state.machines if record.seen}
    data = {"name": cluster.name, "nodes": [{"name": name, "address": addresses.get(name, "")} for name in names]}
    text = "\n".join(f"{name} is ready.  {addresses.get(name, '')}" for name in names)
    return Result("add", data, text=text)


@click.command(
    "delete",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube delete dev-worker-2
  ohmykube delete dev-worker-2 dev-worker-3 --force   whatever holds them
""",
)
@click.argument("nodes", nargs=-1, required=True, metavar="NODE...", shell_complete=complete.nodes)
@click.option("-f", "--force", is_flag=True, help="Lose volumes on the node, and pods that cannot move.")
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=DRAIN_TIMEOUT,
    metavar="SECONDS",
    help=f"For the pods to move.  [default: {DRAIN_TIMEOUT}]",
)
@click.pass_obj
def delete_command(session: Session, /, nodes: tuple[str, ...], force: bool, timeout: int) -> Result:
    """Take nodes out of a cluster, and their machines away.

    Pods move to other nodes first. Where that takes too long, or volumes would be lost, the error names the pods or
    claims, and the node takes pods as before.
    """
    with session.locked(session.folder().name, "delete") as folder:
        cluster = session.stored(folder)
        context = session.context(cluster, folder)
        machines = {machine.name for machine in context.provider.machines()}
        gone = [name for name in nodes if is_gone(cluster, name)]
        wish = remove(cluster, [name for name in nodes if name not in gone])
        raise_all(storage.changed(cluster, wish))
        left = tuple(name for name in nodes if name not in gone or name in machines)
        if left:
            execute(delete(Removal(left, wish, force, timeout)), context)
    words = [f"{name} is gone." if name in left else f"{name} was gone already." for name in nodes]
    return Result("delete", {"name": cluster.name, "deleted": list(left)}, text="\n".join(words))


def _settled(session: Session, folder: ClusterFolder) -> Cluster:
    """The wish without nodes that an `add` had begun when it was killed: it is made anew by the next one."""
    cluster, state = session.stored(folder), folder.read_state()
    adding = state.adding if state else ()
    known = {machine.name for machine in wanted(cluster)}
    return remove(cluster, [name for name in adding if name in known])


def _ready(context: Context) -> list[str]:
    """Which of the new nodes the API server calls Ready."""
    seen, _ = api_nodes([plane for plane in running_planes(context) if plane.name not in context.names])
    return [name for name in context.names if seen.get(name, {}).get("node") == "Ready"]


def _values(flags: dict[str, Any]) -> dict[str, Any]:
    values = {key: flags[key] for key in ("cpu", "memory", "disk") if flags[key] is not None}
    values |= {key: dict(map(_pair, flags[key])) for key in ("labels", "annotations") if flags[key]}
    return values | ({"taints": list(flags["taints"])} if flags["taints"] else {})


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form key=value")
    return key, value
