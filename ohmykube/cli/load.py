"""load: what was built here, onto the nodes, without a registry."""

from typing import Any

import click
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, distinct

from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.model.quantity import human_bytes
from ohmykube.model.result import Result, plain
from ohmykube.phases.base import execute
from ohmykube.phases.images import Load, targets
from ohmykube.plans import load

_NAMED = 3  # nodes that are named one by one


@click.command(
    "load",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube load app:v1                       from docker, podman or nerdctl
  ohmykube load app:v1 --runtime podman --nodes dev-worker-1,dev-worker-2
  ohmykube load app.tar other.tar.gz         archives: docker-archive or OCI
  ohmykube load quay.io/me/app@sha256:61be…  from `ohmykube image pull`
  docker build -t app:v1 . && ohmykube load app:v1
""",
)
@click.argument("names", nargs=-1, required=True, metavar="IMAGE|ARCHIVE...")
@click.option("--nodes", default="", metavar="NODE,...", help="Only onto these nodes.  [default: all]")
@click.option(
    "--runtime",
    type=click.Choice(["docker", "podman", "nerdctl"]),
    help="The engine that has the images.  [default: the first that has them, else the image cache]",
)
@click.option("--skip-arch-check", is_flag=True, help="Load what the nodes cannot run without an emulator, too.")
@click.pass_obj
def load_command(
    session: Session, /, names: tuple[str, ...], nodes: str, runtime: str | None, skip_arch_check: bool
) -> Result:
    """Bring images of this computer to the nodes of a running cluster, all at once.

    A tag that nodes have already is moved to the new content, also while a pod runs the old one: start the pod anew to
    run it. Pods should not ask for `imagePullPolicy: Always`, which is the default for the tag `latest`.
    """
    from ohmykube.images import local

    folder = session.folder()
    with session.locked(folder.name, "load"):
        session.finished(folder)
        context = session.context(session.stored(folder), folder)
        root = session.home.cache / "images"
        wish = Load(
            names=names,
            nodes=tuple(name.strip() for name in nodes.split(",") if name.strip()),
            any_arch=skip_arch_check,
            keep=lambda names, on_step: distinct(local.keep(root, names, runtime or "", on_step)),
        )
        execute(load(wish), context)
        where = targets(context, wish.nodes)
    data = {"images": [_row(image) for image in wish.images], "nodes": where, "changed": context.changed > 0}
    words = "is on" if context.changed else "was there already, on"
    on = ", ".join(where) if len(where) <= _NAMED else f"{len(where)} nodes"
    lines = [f"{image.reference} ({image.arch}) {words} {on}." for image in wish.images]
    return Result("load", data, text="\n".join(lines))


def _row(image: Image | Any) -> dict[str, Any]:
    return {**plain(image), "image": image.reference, "size": human_bytes(image.size), "bytes": image.size}
