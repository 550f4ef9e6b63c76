"""stop and start."""

import click

from ohmykube.cli import complete
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.document import nearest
from ohmykube.model.result import Result
from ohmykube.phases.base import Context, execute
from ohmykube.plans import START, STOP


@click.command(
    "stop",
    cls=Verb,
    epilog="\b\nExamples:\n  ohmykube stop                 all machines\n  ohmykube stop dev-worker-2    one of them",
)
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=complete.nodes)
@click.pass_obj
def stop_command(session: Session, /, nodes: tuple[str, ...]) -> Result:
    """Switch machines off in order. The cluster, its data and its nodes' labels stay."""
    with session.locked(session.folder().name, "stop") as folder:
        context = session.context(session.stored(folder), folder, names=nodes)
        _known(context, nodes)
        execute(STOP, context)
    return _result("stop", context, "off")


@click.command(
    "start",
    cls=Verb,
    epilog="\b\nExamples:\n  ohmykube start                all machines\n  ohmykube start dev-worker-2   one of them",
)
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=complete.nodes)
@click.pass_obj
def start_command(session: Session, /, nodes: tuple[str, ...]) -> Result:
    """Switch machines on again, and see to it that the cluster is what it was.

    Addresses and clocks that changed meanwhile are put right. The API server has the last word.
    """
    with session.locked(session.folder().name, "start") as folder:
        session.finished(folder)
        context = session.context(session.stored(folder), folder, names=nodes)
        _known(context, nodes)
        execute(START, context)
    return _result("start", context, "ready")


def _known(context: Context, nodes: tuple[str, ...]) -> None:
    """Raise OhmykubeError for each that is no machine of the cluster, or that only `up` can make."""
    there = [machine.name for machine in context.provider.machines()]
    wished = [machine.name for machine in context.machines]
    cluster = context.cluster.name
    unknown = [
        OhmykubeError("node.unknown", f"{cluster} has no node {name!r}", hint=nearest(name, wished), exit_code=2)
        for name in nodes
        if name not in wished
    ]
    lost = [
        OhmykubeError("machine.missing", f"the machine {machine.name} is gone", hint="`ohmykube up` makes it anew")
        for machine in context.targets
        if machine.name not in there
    ]
    raise_all([*unknown, *lost])


def _result(command: str, context: Context, words: str) -> Result:
    names = [machine.name for machine in context.targets]
    data = {"name": context.cluster.name, "nodes": names, "changed": context.changed > 0}
    head = f"{context.cluster.name} is {words}" if not context.names else f"{', '.join(names)}: {words}"
    return Result(command, data, text=f"{head}{'' if context.changed else ', as it was already'}.")
