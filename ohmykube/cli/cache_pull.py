"""cache pull: all that clusters are made from, brought to this computer once."""

from pathlib import Path
from typing import Any

import click
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache_entry import Entry
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact

from ohmykube.artifacts import architecture
from ohmykube.cli.image import pulled_row
from ohmykube.cli.options import ARCH, Verb, allow_unverified
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import human_bytes
from ohmykube.model.result import Result, plain
from ohmykube.model.spec import Cluster
from ohmykube.providers import lookup


@click.command(
    "pull",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube cache pull                        what `ohmykube up` would need
  ohmykube cache pull -f dev.yaml            what a cluster file needs
  ohmykube cache pull helm nerdctl@v2.3.4    single components
  ohmykube cache pull kubeadm --arch arm64
""",
)
@click.argument("components", nargs=-1, metavar="[COMPONENT[@VERSION]]...")
@click.option("-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="A cluster file.")
@click.option("--arch", type=ARCH, help="Architecture of single components.  [default: this computer's]")
@allow_unverified
@click.pass_obj
def pull_command(
    session: Session, /, components: tuple[str, ...], file: Path | None, arch: str | None, allow_unverified: bool
) -> Result:
    """Fetch all that a cluster needs, so that `up --offline` works later.

    Packages, manifests, images, and what its machines are made from. An image that is here already stays as it is.
    """
    if components and file:
        raise click.UsageError("name a cluster file or components, not both")
    if arch and not components:
        raise click.UsageError("--arch is for single components: a cluster has its machines' architecture")
    session.allow_unverified = allow_unverified
    artifacts = session.artifacts
    if components:
        pairs = [component.partition("@") for component in components]
        wanted = [artifacts.catalogue.artifact(name, arch or architecture(), version) for name, _, version in pairs]
        rows, errors = _pulled(session, wanted), list[OhmykubeError]()
    else:
        rows, errors = _pull_cluster(session, session.described_anywhere(file))
    status: Any = "partial" if errors else "ok"
    return Result("cache pull", rows, None, ("kind", "name", "arch", "size", "state"), status, tuple(errors))


def _pulled(session: Session, wanted: list[Artifact]) -> list[dict[str, Any]]:
    pulled = session.artifacts.pull(wanted, session.steps("packages"))
    return [
        {
            **package_row(entry),
            "kind": "package" if entry.files else "file",
            "name": f"{entry.component} {entry.version}",
            "changed": changed,
            "state": "new" if changed else "kept",
        }
        for entry, changed in pulled
    ]


def _pull_cluster(session: Session, cluster: Cluster) -> tuple[list[dict[str, Any]], list[OhmykubeError]]:
    """A row for all that is here now, and why other images are not."""
    rows = _pulled(session, session.artifacts.wanted(cluster))
    pulled = session.artifacts.ensure_images(cluster, session.steps("images"))
    rows += [{**row, "kind": "image", "name": row["image"]} for row in map(pulled_row, pulled.images)]
    provider = cluster.spec.provider
    why_not = lookup.load(provider).unusable()
    if not why_not:
        session.provider(cluster, session.home.cluster(cluster.name)).prefetch()
    rows.append({"kind": "machine", "name": f"{provider} {cluster.spec.template}", "state": why_not or "kept"})
    return rows, pulled.errors


def package_row(entry: Entry) -> dict[str, Any]:
    return {**plain(entry), "size": human_bytes(entry.size), "bytes": entry.size}
