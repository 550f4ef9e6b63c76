"""The questions of `init`: few, each with an answer that Enter takes. All on stderr, so that stdout may be the file."""

from pathlib import Path
from typing import Any

import click

from ohmykube.cli.output import table
from ohmykube.cli.wiring import Session, document_of
from ohmykube.errors import OhmykubeError
from ohmykube.model import presets, storage
from ohmykube.model.document import nearest
from ohmykube.model.names import check_name
from ohmykube.model.presets import PRESETS, Computer
from ohmykube.model.quantity import human_bytes
from ohmykube.phases.base import Event
from ohmykube.providers import lookup


def ask(
    session: Session,
    computer: Computer,
    *,
    name: str,
    preset: str | None,
    profile: Path | None,
    flags: dict[str, Any],
) -> tuple[str, str | None]:
    """Name and preset. flags: answers are added as if they had been typed; what was typed is not asked for.

    profile: says everything but the name.
    """
    if profile is not None:
        return name or _name(document_of(profile).at(("metadata", "name")) or "ohmykube"), None
    name = name or _name("ohmykube")
    if flags["provider"] is None:
        flags["provider"] = _provider()
    preset = preset or _preset(session, computer, flags["provider"])
    if flags["workers"] is None:
        workers = PRESETS[preset].workers
        flags["workers"] = click.prompt("Workers", default=workers, type=click.IntRange(0, 100), err=True)
    if flags["k8s_version"] is None:
        flags["k8s_version"] = _version(session)
    return name, preset


def _name(proposed: str) -> str:
    def checked(text: str) -> str:
        try:
            return check_name(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    answer: str = click.prompt("Name of the cluster", default=proposed, value_proc=checked, err=True)
    return answer


def _preset(session: Session, computer: Computer, provider: str) -> str:
    """Of those that can be made here."""
    fitting = [preset.name for preset in PRESETS.values() if presets.fits(preset, computer, provider)]
    rows = [
        {"preset": preset.name, "machines": preset.words, "memory": _memory(preset, computer, provider)}
        for preset in PRESETS.values()
    ]
    has = f"Clusters get at most {human_bytes(computer.budget)} of the {human_bytes(computer.memory)} of memory here."
    session.events(Event("note", "", f"\n{has}\n\n{table(rows, ('preset', 'machines', 'memory'))}\n"))
    choices = fitting or list(PRESETS)
    usual = "default" if "default" in choices else choices[0]
    answer: str = click.prompt("Preset", default=usual, type=click.Choice(choices), err=True)
    return answer


def _memory(preset: presets.Preset, computer: Computer, provider: str) -> str:
    if preset.raw and provider in storage.WITHOUT_DISKS:
        return f"not with {provider}"
    try:
        each = presets.sizes(preset, computer)
    except OhmykubeError:
        return "too large here"
    return human_bytes(preset.planes * each.plane_memory + preset.workers * each.worker_memory)


def _provider() -> str:
    """Those that make machines; what exists already is named in a file by hand."""
    try:
        usual = lookup.choose()[0]
    except OhmykubeError:
        usual = "lima"
    choices = [name for name in lookup.names() if lookup.owns_machines(name)]
    answer: str = click.prompt("Provider of machines", default=usual, type=click.Choice(choices), err=True)
    return answer


def _version(session: Session) -> str:
    catalogue = session.artifacts.catalogue
    known = catalogue.versions("kubeadm")

    def checked(text: str) -> str:
        version = text if text.startswith("v") else f"v{text}"
        if version not in known:
            raise click.BadParameter(f"{text!r} is not in the catalogue: {nearest(version, known)}")
        return version

    answer: str = click.prompt("Kubernetes version", default=catalogue.default("kubeadm"), value_proc=checked, err=True)
    return answer
