"""cache: packages kept for clusters, and both caches as a whole."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from ansible_collections.ohmykube.cluster.plugins.module_utils import bundle_reader, upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.disk import disk_errors

from ohmykube import keeping
from ohmykube.artifacts import architecture
from ohmykube.cli.bake import bake_command
from ohmykube.cli.cache_pull import package_row, pull_command
from ohmykube.cli.options import ARCH, Verb, allow_unverified
from ohmykube.cli.output import aligned
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import human_bytes, parse_bytes
from ohmykube.model.result import Result
from ohmykube.phases.base import Event

_COLUMNS = ("component", "version", "arch", "size")


@click.group("cache")
def cache_command() -> None:
    """Packages kept for clusters, and both caches as a whole."""


cache_command.add_command(bake_command)
cache_command.add_command(pull_command)


@cache_command.command("list", cls=Verb, epilog="\b\nExamples:\n  ohmykube cache list -o json")
@click.pass_obj
def cache_list_command(session: Session, /) -> Result:
    """Show the packages that are kept."""
    rows = [package_row(entry) for entry in session.artifacts.packages.entries()]
    text = None if rows else "No package is kept. `ohmykube up` fetches what it needs."
    return Result("cache list", rows, text=text, columns=_COLUMNS)


@cache_command.command(
    "add",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube cache add helm-v4.2.3.tar.gz --component helm --version v4.2.3
  ohmykube cache add ./kubelet --component kubelet --version v1.36.4 --offline
""",
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--component", required=True, metavar="NAME", help="Which entry of the catalogue it is.")
@click.option("--version", required=True, metavar="V", help="Its version, like v1.36.4.")
@click.option("--arch", type=ARCH, help="Its architecture.  [default: this computer's]")
@allow_unverified
@click.pass_obj
def cache_add_command(
    session: Session, /, file: Path, component: str, version: str, arch: str | None, allow_unverified: bool
) -> Result:
    """Keep FILE, the original of a package as upstream publishes it.

    It must have the sum that the catalogue pins, or that upstream publishes.
    """
    session.allow_unverified = allow_unverified
    artifacts = session.artifacts
    artifact = artifacts.catalogue.artifact(component, arch or architecture(), version)
    entry = artifacts.packages.add(artifact, file, offline=artifacts.offline, allow_unverified=allow_unverified)
    return Result("cache add", [package_row(entry)], columns=_COLUMNS)


@cache_command.command(
    "verify", cls=Verb, epilog="\b\nExamples:\n  ohmykube cache verify\n  ohmykube cache verify -o json"
)
@click.pass_obj
def cache_verify_command(session: Session, /) -> Result:
    """Compare every kept file, packages and images, with its sum.

    What is damaged is removed and named, and the exit code is 3: what is left is whole.
    """
    found = upkeep.verify(keeping.folders(session.home.cache), session.steps("verify"))
    rows = [{**_kept(kept), "state": why or "whole"} for kept, why in found]
    errors = tuple(_damaged(kept, why) for kept, why in found if why)
    text = f"{len(rows) - len(errors)} files are whole." if not errors else None
    return Result(
        "cache verify", rows, text, ("kind", "name", "size", "state"), "partial" if errors else "ok", errors=errors
    )


@cache_command.command(
    "prune",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube cache prune                  leftovers of interrupted work
  ohmykube cache prune --unused         versions that no cluster would use
  ohmykube cache prune --max-size 2GiB  the longest unused, down to 2 GiB
  ohmykube cache prune --keep-days 30
""",
)
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="N", help="Remove what was not used in N days.")
@click.option("--max-size", metavar="SIZE", help="Remove the longest unused until at most SIZE is kept.")
@click.option("--unused", is_flag=True, help="Remove versions that neither a cluster here nor a new one would use.")
@click.pass_obj
def cache_prune_command(session: Session, /, keep_days: float | None, max_size: str | None, unused: bool) -> Result:
    """Remove what is not needed: from both caches, and of the machine images that `cache bake` makes.

    What was used within the last hour stays, and so does what another process is writing or a machine reads.
    """
    root, size = session.home.cache, None if max_size is None else parse_bytes(max_size)
    images = keeping.prune_machine_images(root, keep_days=keep_days, max_size=size, unused=unused)
    left = sum(image.size for image in keeping.machine_images(root).entries())
    limits: dict[str, Any] = {"keep_days": keep_days, "max_size": None if size is None else max(0, size - left)}
    if unused:
        limits["superfluous"] = _superfluous(session)
    gone, strays, busy = upkeep.prune(keeping.folders(root), **limits)
    rows = [{"kind": "machine", "name": image.name, "path": str(image.path), **_sized(image.size)} for image in images]
    rows += [_kept(kept) for kept in gone]
    rows += [_sized(stray.size) | {"kind": stray.kind, "name": stray.path.name} for stray in strays]
    data = {"removed": rows, "inUse": [_kept(kept) for kept in busy]}
    text = f"Removed {len(rows)} files, {human_bytes(sum(row['bytes'] for row in rows))}."
    if busy:
        text += f" {len(busy)} more would go, but were used within the last hour."
    lines = aligned([(row["name"], row["size"]) for row in rows], indent=0)
    return Result("cache prune", data, text="\n".join([*lines, text]))


@cache_command.command(
    "stats", cls=Verb, epilog="\b\nExamples:\n  ohmykube cache stats\n  ohmykube cache stats -o json"
)
@click.pass_obj
def cache_stats_command(session: Session, /) -> Result:
    """Show how much is kept, by kind.

    package: goes to nodes. file: kept as it came, like manifests. machine: made by `cache bake`. unfinished:
    downloads that can be gone on with. unknown: files that no index names.
    """
    rows = [row | _sized(int(str(row["bytes"]))) for row in keeping.stats(session.home.cache)]
    return Result("cache stats", rows, columns=("kind", "entries", "size"))


@cache_command.command(
    "export",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube cache export cache.tar     for `ohmykube cache import` elsewhere
  ohmykube cache export - | ssh build1 ohmykube cache import -
""",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.pass_obj
def cache_export_command(session: Session, /, file: Path) -> Result:
    """Write packages and images to one archive, FILE, or to stdout (`-`).

    The sum that is printed is what `cache import --sha256` compares with.
    """
    steps, root = session.steps("export"), session.home.cache
    if str(file) == "-":
        if session.settings.output != "table":
            raise click.UsageError("stdout takes the archive or the result, not both: leave out --output")
        rows, sha256 = keeping.export_stream(root, sys.stdout.buffer, steps)
        sys.stdout.buffer.flush()
        session.events(Event("note", "", f"{_count(rows)}, sha256 {sha256}"))
        return Result("cache export", text="")
    rows, sha256 = keeping.export(root, file, steps)
    size = file.stat().st_size
    data = {"file": str(file), "sha256": sha256, "entries": len(rows), **_sized(size)}
    return Result("cache export", data, text=f"{file}: {_count(rows)}, {human_bytes(size)}, sha256 {sha256}")


@cache_command.command(
    "import",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube cache import cache.tar
  ohmykube cache import cache.tar --sha256 61be55a8…  as the export printed it
""",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--sha256", default="", metavar="SUM", help="The sum that FILE must have.")
@click.pass_obj
def cache_import_command(session: Session, /, file: Path, sha256: str) -> Result:
    """Bring what FILE holds, made by `cache export`, into the caches; `-` reads stdin.

    A damaged, incomplete or hostile archive is refused, and nothing of it is kept. Whoever could change the archive
    could change its sums too: over a way that you do not trust, pass on the sum that the export printed.
    """
    stdin, folders = str(file) == "-", keeping.archived(session.home.cache)
    with disk_errors(file), sys.stdin.buffer if stdin else file.open("rb") as source:
        name = "the archive" if stdin else str(file)
        brought = bundle_reader.read(source, name, folders, session.steps("import"), sha256.lower())
    rows = [
        {**each.row, **_sized(each.row["size"]), "folder": each.folder, "changed": each.changed} for each in brought
    ]
    new = [each.row for each in brought if each.changed]
    return Result("cache import", rows, text=f"{_count(new)} new, {len(rows) - len(new)} there already.")


def _superfluous(session: Session) -> Callable[[dict[str, Any]], bool]:
    folders = session.home.clusters()
    used = [artifact for each in folders for artifact in session.artifacts_of(each).wanted(session.stored(each))]
    defaults = session.artifacts.defaults()
    return keeping.superfluous([*used, *defaults], [*used, *defaults])


def _kept(kept: upkeep.Kept) -> dict[str, Any]:
    return {"kind": kept.kind, "name": kept.name, "path": str(kept.path), "sha256": kept.sha256, **_sized(kept.size)}


def _sized(size: int) -> dict[str, Any]:
    return {"size": human_bytes(size), "bytes": size}


def _count(rows: list[dict[str, Any]]) -> str:
    images = sum("reference" in row for row in rows)
    counts = {"package": len(rows) - images, "image": images}
    return " and ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items())


def _damaged(kept: upkeep.Kept, why: str) -> OhmykubeError:
    fetch = "`ohmykube image add` or `image pull` brings it again" if kept.kind == "image" else "`ohmykube cache pull`"
    words = fetch if kept.kind == "image" else f"{fetch} fetches it again"
    context = {"path": kept.path, "sha256": kept.sha256}
    return OhmykubeError("cache.damaged", f"{kept.name}: {why}; it was removed", hint=words, context=context)
