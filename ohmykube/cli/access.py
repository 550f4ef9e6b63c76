"""shell, kubeconfig and switch: ways into a cluster."""

import os
import sys
from pathlib import Path

import click

from ohmykube import kubeconfig, ssh
from ohmykube.cli import complete
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.document import nearest
from ohmykube.model.result import Result


@click.command(
    "shell",
    cls=Verb,
    context_settings={"ignore_unknown_options": True},
    epilog="\b\nExamples:\n  ohmykube shell dev-worker-1\n  ohmykube shell dev-worker-1 -- journalctl -u kubelet",
)
@click.argument("node", shell_complete=complete.nodes)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def shell_command(session: Session, /, node: str, command: tuple[str, ...]) -> Result:
    """Open a shell on NODE, or run COMMAND there; its exit code is ours."""
    folder = session.folder()
    cluster = session.stored(folder)
    machines = {machine.name: machine for machine in session.provider(cluster, folder).machines()}
    if node not in machines:
        hint = nearest(node, machines)
        raise OhmykubeError("machine.unknown", f"{cluster.name} has no machine {node!r}", hint=hint, exit_code=2)
    target = machines[node].ssh
    if target is None:
        hint = "`ohmykube up` starts it"
        raise OhmykubeError("machine.stopped", f"{node} is {machines[node].status}", hint=hint)
    argv = ssh.argv(target, command, tty=sys.stdin.isatty())
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606 - the terminal belongs to ssh from here on


@click.command(
    "kubeconfig",
    cls=Verb,
    epilog="\b\nExamples:\n  ohmykube kubeconfig > dev.conf\n  ohmykube kubeconfig --merge      into ~/.kube/config",
)
@click.option("--merge", is_flag=True, help="Merge it into your kubeconfig ($KUBECONFIG, else ~/.kube/config).")
@click.pass_obj
def kubeconfig_command(session: Session, /, merge: bool) -> Result:
    """Print the cluster's kubeconfig, or merge it into yours."""
    folder = session.folder()
    if not folder.kubeconfig.exists():
        hint = f"`ohmykube up --name {folder.name}` finishes it"
        raise OhmykubeError("cluster.unfinished", f"{folder.name} has no kubeconfig yet", hint=hint)
    text = folder.kubeconfig.read_text()
    if not merge:
        return Result("kubeconfig", {"name": folder.name, "kubeconfig": text}, text=text)
    path: Path = kubeconfig.of_user()
    changed = kubeconfig.add_context(path, text)
    data = {"name": folder.name, "path": str(path), "changed": changed}
    return Result("kubeconfig", data, text=f"{path}: the context {folder.name} is current.")


@click.command(
    "switch",
    cls=Verb,
    epilog="\b\nExamples:\n  ohmykube switch dev\n  ohmykube switch          which one it is now",
)
@click.argument("cluster", default="", metavar="[NAME]", shell_complete=complete.clusters)
@click.pass_obj
def switch_command(session: Session, /, cluster: str) -> Result:
    """Choose the cluster that verbs without --name speak of.

    Where your kubeconfig has a context of that name, it becomes the current one.
    """
    known = [folder.name for folder in session.home.clusters()]
    if not cluster:
        current = session.home.current()
        return Result("switch", {"name": current, "clusters": known}, text=current or "No cluster is chosen.")
    session.home.choose(session.folder(cluster).name)
    path = kubeconfig.of_user()
    chosen = kubeconfig.choose_context(path, cluster)
    also = f" {path}: its context is current." if chosen else ""
    return Result(
        "switch", {"name": cluster, "clusters": known, "context": chosen}, text=f"The cluster is {cluster} now.{also}"
    )
