"""init: a cluster file to begin with."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ohmykube.cli import complete
from ohmykube.cli.options import Verb
from ohmykube.cli.output import aligned
from ohmykube.cli.wiring import Session, document_of
from ohmykube.cli.wish import given_flags, wish_without_file
from ohmykube.errors import OhmykubeError
from ohmykube.model import commented, origins, presets, storage
from ohmykube.model.document import Document, nearest
from ohmykube.model.machines import wanted
from ohmykube.model.names import cluster_name
from ohmykube.model.presets import PRESETS, Computer
from ohmykube.model.quantity import format_bytes, human_bytes, parse_bytes
from ohmykube.model.result import Result
from ohmykube.model.spec import Cluster, Group
from ohmykube.phases.base import Event
from ohmykube.providers import lookup
from ohmykube.store import atomic

_USUAL_NAME = "ohmykube"
_STDOUT = "-"


@click.command(
    "init",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube init                                  a few questions
  ohmykube init --preset ha --name prod --yes    prod.yaml, without any
  ohmykube init --preset tiny -f -               on stdout
  ohmykube init --workers 5 --save-profile big   kept in the home, too
  ohmykube init --profile big --name dev         begins with it
""",
)
@click.option(
    "-f", "--file", metavar="FILE", help="Where to write it; - is stdout.  [default: cluster.yaml, or NAME.yaml]"
)
@click.option("--preset", type=click.Choice(list(PRESETS)), help="What to begin with.  [default: default]")
@click.option("--profile", metavar="NAME", shell_complete=complete.profiles, help="Begin with a profile of yours.")
@click.option("--save-profile", metavar="NAME", help="Keep the file as a profile, too.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@wish_without_file
@click.pass_obj
def init_command(
    session: Session,
    /,
    file: str | None,
    preset: str | None,
    profile: str | None,
    save_profile: str | None,
    force: bool,
    **flags: Any,
) -> Result:
    """Write a cluster file to begin with, in which each key says what it does.

    Machines get sizes that this computer can give: all together at most three quarters of its memory. Presets: tiny
    (one node), default (a control plane, two workers), ha (three control planes, two workers), storage (three workers
    with a raw disk each). The flags' own defaults are those of `up`. On a terminal it asks for what no flag says.
    """
    if preset and profile:
        raise click.UsageError("--preset and --profile are both what to begin with: leave one out")
    if flags["provider"] == "static" and not profile:
        raise OhmykubeError(
            "init.static",
            "nobody but you knows the addresses of machines that exist already (provider static)",
            hint="write the file by hand, with each of them in spec.hosts: docs/init.md has one to copy",
            exit_code=2,
        )
    ask = _may_ask(session)
    source = _profile(session, profile) if profile else None
    kept = _profile_file(session, save_profile) if save_profile else None
    name = session.settings.name or ""
    computer = this_computer()
    if ask:
        from ohmykube.cli import wizard

        name, preset = wizard.ask(session, computer, name=name, preset=preset, profile=source, flags=flags)
    if source is None:
        document = _document(preset or "default", computer, flags)
        cluster = _begun(session, name, document, flags, Path())
    else:
        cluster = _begun(session, name, document_of(source), flags, source.parent)
    _note_memory(session, cluster, computer)
    target = Path(file or ("cluster.yaml" if cluster.name == _USUAL_NAME else f"{cluster.name}.yaml"))
    targets = [path for path in (target if file != _STDOUT else None, kept) if path]
    for path in targets:
        _refuse_overwriting(path, force=force, ask=ask)
    text = commented.text(cluster, str(target) if file != _STDOUT else "FILE")
    if kept:
        kept.parent.mkdir(mode=0o700, exist_ok=True)
    for path in targets:
        _write(path, text)
    data = {
        "name": cluster.name,
        "file": None if file == _STDOUT else str(target),
        "profile": save_profile,
        "cluster": origins.complete(cluster),
    }
    return Result("init", data, text=text if file == _STDOUT else _told(session, cluster, target, save_profile))


def this_computer() -> Computer:
    return Computer(os.cpu_count() or 1, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _may_ask(session: Session) -> bool:
    settings = session.settings
    return sys.stdin.isatty() and sys.stdout.isatty() and not settings.yes and settings.output == "table"


def _document(name: str, computer: Computer, flags: dict[str, Any]) -> Document:
    preset = PRESETS[name]
    masters, workers = flags["masters"], flags["workers"]
    preset = replace(
        preset,
        planes=preset.planes if masters is None else max(masters, 1),
        workers=preset.workers if workers is None else max(workers, 0),
    )
    chosen = {
        key: parse_bytes(flags[flag])
        for key, flag in (("plane_memory", "master_memory"), ("worker_memory", "worker_memory"))
        if flags[flag] is not None
    }
    return Document({"spec": presets.spec(preset, presets.sizes(preset, computer, **chosen))}, {(): f"preset {name}"})


def _begun(session: Session, name: str, document: Document, flags: dict[str, Any], beside: Path) -> Cluster:
    """Where no provider is usable, the file is for another computer, or for later."""
    given = given_flags(flags)
    try:
        cluster = session.begun(name, document, given, beside)
    except OhmykubeError as error:
        if error.code != "provider.none":
            raise
        session.events(Event("note", "", f"the file says provider: lima, but {error.message}"))
        document.set(("spec", "provider"), "lima", "default")
        cluster = session.begun(name, document, given, beside)
    lookup.load(cluster.spec.provider)  # raises where there is none of that name
    if cluster.spec.provider in storage.WITHOUT_DISKS and any(machine.disks for machine in wanted(cluster)):
        raise OhmykubeError(
            "nspawn.disks",
            "system containers (provider nspawn) cannot have disks of their own",
            hint="use `--provider lima`, or another preset",
            exit_code=2,
        )
    return cluster


def _note_memory(session: Session, cluster: Cluster, computer: Computer) -> None:
    asked = sum(machine.memory for machine in wanted(cluster))
    if asked > computer.budget:
        words = f"its machines get {human_bytes(asked)} of memory, and this computer has {human_bytes(computer.memory)}"
        session.events(Event("note", "", words))


def _profile(session: Session, name: str) -> Path:
    """The file of one that is there; OhmykubeError `profile.unknown`."""
    path = _profile_file(session, name)
    if not path.exists():
        known = [file.stem for file in session.home.profiles.glob("*.yaml")]
        hint = nearest(name, known) if known else "`ohmykube init --save-profile NAME` makes one"
        raise OhmykubeError("profile.unknown", f"there is no profile {name!r}", hint=hint, exit_code=2)
    return path


def _profile_file(session: Session, name: str) -> Path:
    return session.home.profiles / f"{cluster_name(name)}.yaml"


def _refuse_overwriting(path: Path, *, force: bool, ask: bool) -> None:
    if force or not path.exists():
        return
    if ask:
        click.confirm(f"{path} is there already. Write over it?", abort=True, err=True)
        return
    hint = "--force writes over it, and -f FILE writes elsewhere"
    raise OhmykubeError("file.exists", f"{path} is there already", hint=hint, context={"path": path}, exit_code=2)


def _write(path: Path, text: str) -> None:
    try:
        atomic.write(path, text)
    except OSError as error:
        words = f"{path} cannot be written: {error.strerror}"
        raise OhmykubeError("file.unwritable", words, context={"path": path}, exit_code=2) from error


def _told(session: Session, cluster: Cluster, path: Path, profile: str | None) -> str:
    spec = cluster.spec
    lines = [
        f"{path} describes the cluster {cluster.name}: Kubernetes {spec.kubernetes_version}, provider {spec.provider}"
    ]
    if spec.provider == "static":
        lines += aligned([(host.name, host.address, host.role) for host in spec.hosts])
    else:
        groups: list[tuple[str, Group]] = [(_counted(spec.control_plane.count, "control plane"), spec.control_plane)]
        groups += [(_counted(group.count, group.name), group) for group in spec.workers]
        lines += aligned([(words, _sizes(group)) for words, group in groups if group.count])
    if profile:
        lines.append(f"It is kept as a profile: `ohmykube init --profile {profile}` begins with it.")
    if session.home.cluster(cluster.name).exists():
        lines.append(f"There is a cluster {cluster.name}: `ohmykube plan -f {path}` shows what would change.")
    return "\n".join([*lines, f"Next: ohmykube up -f {path}"])


def _counted(number: int, name: str) -> str:
    return f"{number} {name}s" if number > 1 and name in ("control plane", "worker") else f"{number} {name}"


def _sizes(group: Group) -> str:
    cpus = f"{group.cpu} CPU{'s' if group.cpu > 1 else ''}"
    raw = "".join(f" + {format_bytes(disk.size)} raw" for disk in group.disks)
    return f"{cpus}, {format_bytes(group.memory)} memory, {format_bytes(group.disk)} disk{raw}"
