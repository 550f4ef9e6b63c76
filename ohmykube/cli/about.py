"""version."""

from importlib.metadata import version
from typing import Any

import click

from ohmykube import COLLECTIONS, __version__
from ohmykube.cli.options import Verb
from ohmykube.cli.output import aligned
from ohmykube.cli.wiring import Session
from ohmykube.model.result import Result


@click.command("version", cls=Verb, epilog="\b\nExamples:\n  ohmykube version -o json")
@click.pass_obj
def version_command(session: Session, /) -> Result:
    """Show versions of ohmykube and what it installs."""
    data = versions(session)
    rows = []
    for key, value in data.items():
        if isinstance(value, str):
            rows.append((key, value))
        elif others := [version for version in value if version != data["kubernetes"]]:
            rows.append(("", f"and {', '.join(others)}"))
    text = "\n".join(aligned(rows, indent=0))
    return Result("version", data, text=text)


def versions(session: Session) -> dict[str, Any]:
    catalogue = session.artifacts.catalogue
    return {
        "ohmykube": __version__,
        "ansible-core": version("ansible-core"),
        "collection": str(COLLECTIONS / "ansible_collections/ohmykube/cluster"),
        "kubernetes": catalogue.default("kubeadm"),
        "kubernetesVersions": list(catalogue.versions("kubeadm")),
        "containerd": catalogue.default("containerd"),
    }
