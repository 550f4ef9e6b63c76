"""addon: what a cluster has beside itself."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from ohmykube import nodes
from ohmykube.cli import complete
from ohmykube.cli.options import Verb, allow_unverified
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result
from ohmykube.model.spec import Cluster
from ohmykube.phases.base import Context, execute
from ohmykube.phases.machines import running_planes
from ohmykube.plans import addons as plan
from ohmykube.store.home import ClusterFolder

if TYPE_CHECKING:
    from ohmykube.addons import Addon

_STATUS_TIMEOUT = 60.0  # seconds to ask the API server how all add-ons are


@click.group("addon")
def addon_command() -> None:
    """Add-ons of a cluster: built in, or of your own."""


@addon_command.command(
    "list",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube addon list                    all, and what the current cluster has
  ohmykube addon list --name dev -o json
""",
)
@click.pass_obj
def addon_list_command(session: Session, /) -> Result:
    """Show all add-ons that are built in, and the cluster's own; where there is no cluster, none is enabled."""
    from ohmykube import addons

    folder = session.home.cluster(session.name)
    cluster = session.stored(folder) if folder.exists() else None
    here = {addon.name: addon for addon in addons.members(cluster)} if cluster else {}
    known = {**addons.builtin(), **here}
    rows = [
        {
            "name": name,
            "version": _version(session, addon),
            "enabled": name in here,
            "source": "own" if addon.own else "built in",
            "requires": list(addon.requires),
            "description": addon.description,
        }
        for name, addon in sorted(known.items())
    ]
    shown = [{**row, "enabled": "yes" if row["enabled"] else "no"} for row in rows]
    return Result("addon list", rows, text=_table(shown, ("name", "version", "enabled", "source", "description")))


@addon_command.command(
    "enable",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube addon enable metrics-server
  ohmykube addon enable ./hello          a folder of your own, called hello
  ohmykube --offline addon enable metrics-server    from the cache alone
""",
)
@click.argument("names", nargs=-1, required=True, metavar="NAME|FOLDER...", shell_complete=complete.addons)
@allow_unverified
@click.pass_obj
def addon_enable_command(session: Session, /, names: tuple[str, ...], allow_unverified: bool) -> Result:
    """Bring add-ons into a cluster, with what they require, and wait until they are ready.

    A folder has a / in its name. Enabled once more, it is read anew, and what it no longer has goes.
    """
    from ohmykube import addons

    session.allow_unverified = allow_unverified
    with session.locked(session.folder().name, "addon enable") as folder:
        session.finished(folder)
        before = session.stored(folder)
        cluster = addons.enabled(before, names)
        context = _applied(session, folder, before, cluster)
    new = [name for name in cluster.addon_names if name not in before.addon_names]
    words = [f"{name} is enabled." for name in new]
    nothing = f"{', '.join(cluster.addon_names)}: nothing changed." if not context.changed else "They are up to date."
    return _result("addon enable", context, "\n".join(words) or nothing, enabled=new)


@addon_command.command(
    "disable",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube addon disable metrics-server
  ohmykube addon disable hello --force    with its volumes
""",
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete.enabled_addons)
@click.option("-f", "--force", is_flag=True, help="Lose its volumes, and what others made of its custom resources.")
@click.pass_obj
def addon_disable_command(session: Session, /, names: tuple[str, ...], force: bool) -> Result:
    """Take add-ons out of a cluster, with all that they brought. What others require stays, and the error says why."""
    from ohmykube import addons

    with session.locked(session.folder().name, "addon disable") as folder:
        session.finished(folder)
        before = session.stored(folder)
        state = folder.read_state()
        there = {*before.addon_names, *(state.addons if state else ())}
        _known(names, there)
        cluster = addons.disabled(before, names)
        context = _applied(session, folder, before, cluster, force=force)
    gone = [name for name in dict.fromkeys(names) if name in there]
    words = [f"{name} is gone." if name in gone else f"{name} was not enabled." for name in dict.fromkeys(names)]
    return _result("addon disable", context, "\n".join(words), disabled=gone)


@addon_command.command(
    "status", cls=Verb, epilog="\b\nExamples:\n  ohmykube addon status\n  ohmykube addon status -o json"
)
@click.pass_obj
def addon_status_command(session: Session, /) -> Result:
    """Show how the cluster's add-ons are, as the API server sees them now."""
    from ohmykube import addons

    folder = session.folder()
    cluster = session.stored(folder)
    enabled = {addon.name: addon for addon in addons.members(cluster)}
    seen, problem = _seen(session.context(cluster, folder), enabled.values())
    rows = []
    for name in [*enabled, *(name for name in seen if name not in enabled)]:
        found = seen.get(name, {"version": "", "missing": [] if problem else ["it is not in the cluster"]})
        status = "unknown" if problem else "ready" if not found["missing"] else "not ready"
        if name not in enabled:
            status = "left over"
        rows.append({"name": name, "version": found["version"], "status": status, "missing": found["missing"]})
    data = {
        "name": cluster.name,
        "ready": not problem and all(row["status"] == "ready" for row in rows),
        "problem": problem,
        "addons": rows,
    }
    notes = [problem, *(f"{row['name']}: {line}" for row in rows for line in row["missing"])]
    head = _table(rows, ("name", "version", "status")) if rows else f"{cluster.name} has no add-ons."
    return Result("addon status", data, text="\n".join([head, *filter(None, notes)]))


def _applied(
    session: Session, folder: ClusterFolder, before: Cluster, cluster: Cluster, *, force: bool = False
) -> Context:
    """Make it so. Where that fails the wish is as before, and the next verb takes away what there is too much."""
    context = session.context(session.checked(cluster), folder)
    try:
        execute(plan(force=force), context)
    except OhmykubeError:
        folder.write_spec(before.as_data())
        raise
    return context


def _result(command: str, context: Context, text: str, **data: list[str]) -> Result:
    said = {"name": context.cluster.name, **data, "changed": context.changed > 0}
    return Result(command, {**said, "addons": list(context.cluster.addon_names)}, text=text)


def _seen(context: Context, enabled: "Iterable[Addon]") -> tuple[dict[str, Any], str]:
    """As a control plane tells, and why none does."""
    problem = "no control plane runs"
    ready = {addon.name: list(addon.ready) for addon in enabled}
    for target in (plane.ssh for plane in running_planes(context) if plane.ssh):
        try:
            return nodes.ask(target, "kube_addons_info", {"ready": ready}, timeout=_STATUS_TIMEOUT)["addons"], ""
        except OhmykubeError as error:
            problem = f"the API server does not answer: {error}"
    return {}, problem


def _known(names: Iterable[str], there: set[str]) -> None:
    """A slip of the pen is an error; what could be enabled and is not, is gone already."""
    from ansible_collections.ohmykube.cluster.plugins.module_utils.addons.order import unknown

    from ohmykube import addons

    known = {*addons.builtin(), *there}
    for name in names:
        if name not in known:
            raise unknown(name, known)


def _version(session: Session, addon: "Addon") -> str:
    catalogue = session.artifacts.catalogue
    return addon.version or (catalogue.default(addon.component) if addon.component else "")


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    from ohmykube.cli.output import table

    return table(rows, columns)
