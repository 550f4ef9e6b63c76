"""up and down."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from ohmykube import kubeconfig
from ohmykube.cli.baking import refresh
from ohmykube.cli.options import Verb, allow_unverified
from ohmykube.cli.output import aligned
from ohmykube.cli.wiring import Session
from ohmykube.cli.wish import given_flags, wish
from ohmykube.model.result import Result
from ohmykube.model.validate import warnings
from ohmykube.phases.base import execute
from ohmykube.plans import DOWN, UP


@click.command(
    "up",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube up                    1 control plane, 2 workers
  ohmykube up --name dev --workers 3 --worker-memory 4
  ohmykube up -f dev.yaml        from a cluster file
  ohmykube up                    again: finishes what was interrupted

\b
A cluster file:
  apiVersion: ohmykube.dev/v1
  kind: Cluster
  metadata: {name: dev}
  spec:
    workers:
      - {name: worker, count: 2, cpu: 1, memory: 2GiB, disk: 10GiB}
      - {name: big, count: 1, cpu: 4, memory: 8GiB, disk: 40GiB}
""",
)
@wish
@click.option("--download-kubeconfig", is_flag=True, help="Merge a context for the cluster into your kubeconfig.")
@allow_unverified
@click.pass_obj
def up_command(
    session: Session, /, file: Path | None, download_kubeconfig: bool, allow_unverified: bool, **flags: Any
) -> Result:
    """Make a cluster, or finish one that was begun.

    What exists already is kept: run it again after any failure, or with more workers. Nothing is called ready before
    the API server says so. Packages and images are fetched to this computer once, for all clusters.
    """
    session.allow_unverified = allow_unverified
    cluster = session.wished(file, given_flags(flags))
    with session.locked(cluster.name, "up") as folder:
        context = session.context(cluster, folder, kubeconfig.of_user() if download_kubeconfig else None)
        execute(UP, context)
        session.home.choose(cluster.name)
    refresh(session, cluster, changed=context.changed > 0)
    nodes = [(record.name, record.seen.address if record.seen else "-") for record in context.state.machines]
    data = {
        "name": cluster.name,
        "changed": context.changed > 0,
        "kubernetesVersion": cluster.spec.kubernetes_version,
        "provider": cluster.spec.provider,
        "kubeconfig": str(folder.kubeconfig),
        "nodes": [record["name"] for record in context.state.as_data()["machines"]],
        "warnings": warnings(cluster),
    }
    first = "is ready" if context.changed else "is as it should be: nothing changed"
    text = "\n".join(
        [
            f"Cluster {cluster.name} {first}. Kubernetes {cluster.spec.kubernetes_version}, {len(nodes)} nodes:",
            *aligned(nodes),
            *(f"warning: {words}" for words in warnings(cluster)),
            f"export KUBECONFIG={shlex.quote(str(folder.kubeconfig))}",
        ]
    )
    return Result("up", data, text=text)


@click.command(
    "down",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube down                 the current cluster
  ohmykube down --name dev -f   without a question
""",
)
@click.option("-f", "--force", is_flag=True, help="Ask nothing.")
@click.pass_obj
def down_command(session: Session, /, force: bool) -> Result:
    """Take a cluster away without a trace.

    Machines that ohmykube made are deleted; machines that existed before (provider static) are given back clean.
    """
    name = session.name
    known = [folder.name for folder in session.home.clusters()]
    session.home.cluster(name).sweep()
    if name not in known and not session.home.cluster(name).path.exists():
        listed = f"; there is: {', '.join(known)}" if known else ""
        return Result("down", {"name": name, "changed": False}, text=f"There is no cluster {name}{listed}.")
    if not (force or session.settings.yes) and sys.stdin.isatty():
        click.confirm(f"Delete cluster {name} with everything on it?", abort=True, err=True)
    with session.locked(name, "down") as folder:
        if folder.exists():
            context = session.context(session.stored(folder), folder, kubeconfig.of_user())
            execute(DOWN, context)
    return Result("down", {"name": name, "changed": True}, text=f"Cluster {name} is gone.")
