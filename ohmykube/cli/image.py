"""image: container images kept for clusters."""

import sys
from pathlib import Path
from typing import Any

import click
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import Image, distinct

from ohmykube.artifacts import architecture
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.quantity import human_bytes
from ohmykube.model.result import Result, plain

_COLUMNS = ("image", "arch", "size")
_ENGINE = click.Choice(["docker", "podman", "nerdctl"])
_ARCH = click.option(
    "--arch", type=click.Choice(["amd64", "arm64"]), help="Architecture of the machines.  [default: this computer's]"
)


@click.group("image")
def image_command() -> None:
    """Container images kept for clusters."""


@image_command.command("list", cls=Verb, epilog="\b\nExamples:\n  ohmykube image list\n  ohmykube image list -o json")
@click.pass_obj
def image_list_command(session: Session, /) -> Result:
    """Show the images that are kept."""
    rows = [image_row(image) for image in distinct(session.artifacts.images.entries())]
    text = None if rows else "No image is kept. `ohmykube image pull REF` or `ohmykube image add FILE` brings one."
    return Result("image list", rows, text=text, columns=_COLUMNS)


@image_command.command(
    "add",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube image add app.tar images/*.tar.gz
  ohmykube image add ./layout                  a folder with an OCI layout
  ohmykube image add --from docker app:v1      what `docker build` has made
""",
)
@click.argument("names", nargs=-1, required=True, metavar="ARCHIVE|REF...")
@click.option("--from", "engine", type=_ENGINE, help="Take images that this engine has, by their names.")
@click.pass_obj
def image_add_command(session: Session, /, names: tuple[str, ...], engine: str | None) -> Result:
    """Keep images of this computer: of archives (docker-archive or OCI, plain or compressed), or of an engine."""
    from ohmykube.images import local

    absent = [] if engine else [name for name in names if not local.is_archive(name)]
    if absent:
        raise OhmykubeError(
            "image.no-file",
            f"There is no image archive {', '.join(absent)}.",
            hint=f"From an engine: `ohmykube image add --from docker {absent[0]}`; from a registry: `image pull`.",
            exit_code=2,
        )
    steps = session.steps("add")
    if engine:
        images = [image for name in names for image in local.from_engine(_root(session), name, engine)]
    else:
        images = local.keep(_root(session), names, "", steps)
    return Result("image add", [image_row(image) for image in distinct(images)], columns=_COLUMNS)


@image_command.command(
    "pull",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube image pull nginx:1.29 quay.io/me/app@sha256:61be55a8…
  ohmykube image pull --manifest app.yaml               what its pods run
  kubectl kustomize . | ohmykube image pull --manifest -
  ohmykube image pull --chart ./chart --values prod.yaml
  ohmykube image pull --kubernetes v1.36.4    what kubeadm runs
  ohmykube image pull -f dev.yaml             that, and a cluster's add-ons
  ohmykube image pull localhost:5000/app:v1 --insecure-registry localhost:5000
""",
)
@click.argument("references", nargs=-1, metavar="[REF]...")
@click.option(
    "--manifest",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="What the pods of a manifest run; `-` reads stdin (repeatable).",
)
@click.option(
    "--chart",
    multiple=True,
    metavar="CHART",
    help="What a Helm chart runs: a folder, .tgz or oci:// (repeatable).",
)
@click.option(
    "--values",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Values for the charts (repeatable).",
)
@click.option("--kubernetes", multiple=True, metavar="VERSION", help="What kubeadm runs in that version (repeatable).")
@click.option(
    "-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="What the cluster of a cluster file runs."
)
@_ARCH
@click.option(
    "--insecure-registry",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Speak plain HTTP to this registry (repeatable).",
)
@click.pass_obj
def image_pull_command(
    session: Session, /, references: tuple[str, ...], arch: str | None, insecure_registry: tuple[str, ...], **lists: Any
) -> Result:
    """Bring images from their registries, for clusters to come and for those that reach no registry.

    No container engine is needed. What `docker login` or `podman login` has stored is used. An image that is here as
    its registry has it now is not pulled again.
    """
    from ohmykube.images import wanted

    if lists["values"] and not lists["chart"]:
        raise click.UsageError("--values is for --chart")
    wishes = wanted.Wishes(
        references, lists["manifest"], lists["chart"], lists["values"], lists["kubernetes"], lists["file"]
    )
    tools = wanted.Tools(sys.stdin.read, lambda: _helm(session), session.described_anywhere)
    arch = arch or architecture()
    names = wanted.references(wishes, session.artifacts, tools, arch)
    if not names:
        raise click.UsageError("name images, or what lists them: --manifest, --chart, --kubernetes or -f")
    pulled = session.artifacts.pull_images(names, arch, session.steps("images"), insecure_registry)
    if not pulled.images:
        raise_all(pulled.errors)
    status: Any = "partial" if pulled.errors else "ok"
    rows = list(map(pulled_row, pulled.images))
    return Result("image pull", rows, None, (*_COLUMNS, "state"), status, tuple(pulled.errors))


@image_command.command("rm", cls=Verb, epilog="\b\nExamples:\n  ohmykube image rm nginx:1.29 app:v1")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.pass_obj
def image_rm_command(session: Session, /, references: tuple[str, ...]) -> Result:
    """Remove images from the cache, for every architecture. Nodes keep what they have."""
    gone = distinct(session.artifacts.images.remove(references))
    text = "\n".join(f"{image.reference} ({image.arch}) is removed." for image in gone)
    return Result("image rm", [image_row(image) for image in gone], text=text)


@image_command.command(
    "export",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube image export nginx:1.29 nginx.tar      for `docker load`
  ohmykube image export nginx:1.29 nginx.tar.zst  for `ohmykube image add`
""",
)
@click.argument("reference", metavar="REF")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_ARCH
@click.pass_obj
def image_export_command(session: Session, /, reference: str, file: Path, arch: str | None) -> Result:
    """Write the archive that holds an image to FILE: .tar, .tar.gz or .tar.zst."""
    from ansible_collections.ohmykube.cluster.plugins.module_utils.image_export import export

    arch = arch or architecture()
    cache = session.artifacts.images
    image = cache.find(reference, arch)
    if image is None:
        others = cache.architectures(reference)
        hint = (
            f"It is there for {', '.join(others)}: --arch" if others else "`ohmykube image list` shows what is there."
        )
        raise OhmykubeError("image.unknown", f"The image cache has no {reference} for {arch}.", hint=hint)
    export(image, file)
    names = [other.reference for other in distinct(cache.entries()) if other.path == image.path]
    data = {"file": str(file), "images": names, "bytes": file.stat().st_size}
    return Result("image export", data, text=f"{file}: {', '.join(names)}, {human_bytes(file.stat().st_size)}")


def _helm(session: Session) -> Path:
    from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.helm import component

    from ohmykube.images.charts import find_helm

    def fetch() -> Path:
        artifacts = session.artifacts
        (entry,) = artifacts.packages.ensure_all(
            [artifacts.catalogue.artifact(component(), architecture())], offline=artifacts.offline
        )
        path: Path = entry.path
        return path

    return find_helm(session.home.path / "tools", fetch)


def _root(session: Session) -> Path:
    return session.home.cache / "images"


def pulled_row(pulled: tuple[Image, bool]) -> dict[str, Any]:
    """Of an image that was asked for, and whether it is new."""
    image, new = pulled
    return {**image_row(image), "changed": new, "state": "new" if new else "kept"}


def image_row(image: Image) -> dict[str, Any]:
    return {**plain(image), "image": image.reference, "size": human_bytes(image.size), "bytes": image.size}
