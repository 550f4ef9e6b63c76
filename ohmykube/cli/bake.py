"""cache bake: a machine image that later machines begin with."""

from pathlib import Path
from typing import Any

import click

from ohmykube.cli.baking import bake
from ohmykube.cli.options import Verb, allow_unverified
from ohmykube.cli.wiring import Session
from ohmykube.cli.wish import given_flags
from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import human_bytes
from ohmykube.model.result import Result
from ohmykube.providers import lookup


@click.command(
    "bake",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube cache bake                       for what `ohmykube up` would make
  ohmykube cache bake -f dev.yaml           for the clusters of a file
  ohmykube cache bake --k8s-version v1.36.4
""",
)
@click.option("-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="A cluster file.")
@click.option("--provider", metavar="NAME", help="lima, nspawn or a plug-in's.  [default: what works here]")
@click.option("-t", "--template", metavar="NAME", help="Machine image to begin with.  [default: ubuntu-24.04]")
@click.option("--k8s-version", metavar="VERSION", help="Kubernetes version, like v1.36.4.")
@click.option("--cni", type=click.Choice(["flannel", "cilium", "none"]), help="Pod network.  [default: flannel]")
@allow_unverified
@click.pass_obj
def bake_command(session: Session, /, file: Path | None, allow_unverified: bool, **flags: Any) -> Result:
    """Make a machine image with all that a node needs, packages and unpacked images.

    Later machines of the same provider, template, Kubernetes version and pod network begin with it, which takes half
    of the time. It is stale when something in the cache that went into it has changed; the next `up` bakes it anew.
    """
    session.allow_unverified = allow_unverified
    wish = session.described(file, given_flags(flags))
    if not lookup.owns_machines(wish.spec.provider):
        words = f"machines of provider {wish.spec.provider} exist already: none is made from an image"
        raise OhmykubeError("bake.provider", words, hint="name another one: --provider lima", exit_code=2)
    made, new = bake(session, wish)
    data = {"name": made.name, "path": str(made.path), "bytes": made.size, "changed": new}
    first = "is ready" if new else "is there already"
    return Result("cache bake", data, text=f"The machine image {made.name} {first}, {human_bytes(made.size)}.")
