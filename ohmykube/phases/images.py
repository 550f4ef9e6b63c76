"""Bring images of this computer to nodes of a running cluster."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ohmykube.errors import OhmykubeError
from ohmykube.model.document import nearest
from ohmykube.phases.base import Context, Steps


class Image(Protocol):
    """An image of the cache, as these phases see it."""

    @property
    def reference(self) -> str: ...
    @property
    def arch(self) -> str: ...


class Keep(Protocol):
    def __call__(self, names: Sequence[str], on_step: Steps) -> Sequence[Image]:
        """Bring archives, or images that an engine has, into the cache; what they are there."""
        ...


@dataclass
class Load:
    """What is to be loaded. names: archives or references. nodes: empty for all. any_arch: also what they cannot run.

    images: what KeepImages found, for LoadImages.
    """

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    any_arch: bool
    keep: Keep
    images: list[Image] = field(default_factory=list)


@dataclass(frozen=True)
class KeepImages:
    """By way of the cache, since what goes to nodes comes from there: compressed and verified once for all of them."""

    load: Load
    title: str = "take the images"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        targets(context, self.load.nodes)  # a wrong name is told before anything is read
        self.load.images += self.load.keep(self.load.names, lambda text: context.step(self.title, text))


@dataclass(frozen=True)
class LoadImages:
    load: Load
    title: str = "load"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        """Every node is tried; where some have the images and others not, the verb ends partly done."""
        nodes = targets(context, self.load.nodes)
        try:
            for arches, references in _by_architecture(self.load.images):
                variables = {
                    "images_references": references,
                    "images_arch": arches[0] if len(arches) == 1 else "",
                    "images_check_arch": not self.load.any_arch,
                }
                context.play(self.title, "load", variables=variables, limit=self.load.nodes)
        except OhmykubeError as error:
            errors = getattr(error, "errors", [error])
            for each in errors:
                if each.code == "image.arch":
                    each.hint = "build it for the nodes, or, where they have an emulator, say --skip-arch-check"
            failed = {each.context.get("node") for each in errors} & set(nodes)
            if failed and len(failed) < len(nodes):
                error.exit_code = 3
            raise


def _by_architecture(images: Sequence[Image]) -> list[tuple[tuple[str, ...], list[str]]]:
    """References with the architectures that they came for: the cache may have others, which are not meant."""
    found: dict[str, set[str]] = {}
    for image in images:
        found.setdefault(image.reference, set()).add(image.arch)
    groups: dict[tuple[str, ...], list[str]] = {}
    for reference, arches in sorted(found.items()):
        groups.setdefault(tuple(sorted(arches)), []).append(reference)
    return list(groups.items())


def targets(context: Context, names: Sequence[str]) -> list[str]:
    """The nodes of these names, or all. Raises OhmykubeError `machine.unknown`."""
    known = [machine.name for machine in context.state.machines]
    for name in names:
        if name not in known:
            raise OhmykubeError(
                "machine.unknown",
                f"{context.cluster.name} has no machine {name!r}",
                hint=nearest(name, known),
                exit_code=2,
            )
    return list(dict.fromkeys(names)) or known
