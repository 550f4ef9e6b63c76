"""config: the cluster file and kubeadm's documents, before anything is made from them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ohmykube import kubeadm_files
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.cli.wish import given_flags, wish
from ohmykube.model.machines import wanted
from ohmykube.model.origins import annotated, complete, origins
from ohmykube.model.result import Result
from ohmykube.model.spec import Cluster


@click.group("config")
def config_command() -> None:
    """The cluster file: complete, checked, and as a schema."""


@config_command.command(
    "show",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube config show             the current cluster, or what `up` makes
  ohmykube config show -f dev.yaml --workers 5
  ohmykube config show -f dev.yaml > complete.yaml
  ohmykube config show --kubeadm   what kubeadm is given on each kind of node
""",
)
@wish
@click.option("--kubeadm", is_flag=True, help="Show kubeadm's documents in place of the cluster file.")
@click.pass_obj
def config_show_command(session: Session, /, file: Path | None, kubeadm: bool, **flags: Any) -> Result:
    """Show the complete cluster file, and where each value comes from.

    That is a default, a line of the file, OHMYKUBE_*, or a flag. What is shown is a cluster file again.
    With --kubeadm: the user's documents merged into ours, as they would lie on the nodes. Secrets are left out.
    """
    cluster, layers = session.resolved_anywhere(file, given_flags(flags))
    if kubeadm:
        return _kubeadm(session, cluster)
    stored = "" if file else str(session.home.cluster(cluster.name).spec_file)
    found, data = origins(cluster, layers, stored), complete(cluster)
    told = {".".join(map(str, path)): origin for path, origin in found.items()}
    return Result("config show", {"cluster": data, "origins": told}, text=annotated(data, found))


@config_command.command(
    "validate",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube config validate -f dev.yaml
  ohmykube config validate -f dev.yaml -o json   problems with their places
""",
)
@click.option("-f", "--file", type=click.Path(path_type=Path), metavar="FILE", required=True, help="A cluster file.")
@click.pass_obj
def config_validate_command(session: Session, /, file: Path) -> Result:
    """Check a cluster file, and the kubeadm files that it names. Exits with 2 and all problems at once.

    `plan` tells besides whether a cluster that is there could follow it.
    """
    cluster, _ = session.resolved_anywhere(file, ())
    machines = [machine.name for machine in wanted(cluster)]
    data = {"file": str(file), "name": cluster.name, "machines": machines}
    return Result(
        "config validate", data, text=f"{file} is a good cluster file: {cluster.name}, {len(machines)} nodes."
    )


@config_command.command(
    "schema",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube config schema > cluster.schema.json

\b
The first line of a cluster file, for editors:
  # yaml-language-server: $schema=cluster.schema.json
""",
)
def config_schema_command() -> Result:
    """Print the JSON Schema of the cluster file."""
    from ohmykube.model.schema import schema

    made = schema()
    return Result("config schema", made, text=json.dumps(made, indent=2))


def _kubeadm(session: Session, cluster: Cluster) -> Result:
    """One node stands for all of its role."""
    folder = session.home.cluster(cluster.name)
    variables: Callable[[str], Any] = session.provider(cluster, folder).variables
    user = kubeadm_files.recorded(cluster)
    roles: dict[str, dict[str, Any]] = {}
    for node, joining in kubeadm_files.nodes(cluster, folder.read_state(), variables):
        role = "worker" if not node.control_plane else "joining-control-plane" if joining else "control-plane"
        if role not in roles:
            roles[role] = {
                "role": role,
                "node": node.name,
                "documents": kubeadm_files.documents(node, joining, user),
            }
    patches = cluster.spec.kubeadm.read.patches
    data = {"name": cluster.name, "roles": list(roles.values()), "patches": patches}
    parts = [
        f"# {each['role']}, here {each['node']}\n{kubeadm_files.text(each['documents'])}" for each in roles.values()
    ]
    parts += [f"# patch {name}\n{patch}" for name, patch in patches.items()]
    return Result("config show", data, text="---\n".join(part.rstrip("\n") + "\n" for part in parts))
