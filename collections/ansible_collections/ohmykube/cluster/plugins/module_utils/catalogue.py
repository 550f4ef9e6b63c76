# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What can be downloaded, from where, and with which sum: the collection's catalogue and the user's overlays on it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue_file import (
    Component,
    Source,
    normal_version,
    read,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import Logins, split_login

CATALOGUE = Path(__file__).resolve().parents[2] / "catalogue" / "catalogue.yml"

_SUFFIXES = {
    ".tar.gz": "tar.gz",
    ".tgz": "tar.gz",
    ".tar.xz": "tar.xz",
    ".txz": "tar.xz",
    ".tar.bz2": "tar.bz2",
    ".tbz2": "tar.bz2",
    ".tar.zst": "tar.zst",
    ".tzst": "tar.zst",
    ".tar": "tar",
    ".zip": "zip",
}
_ARCH_ALIASES = {"x86_64": "amd64", "aarch64": "arm64"}  # as uname and Ansible's facts say
_EXECUTABLE = 0o755


@dataclass(frozen=True)
class Artifact:
    """One thing to download, for one version and architecture.

    version: with its leading v. arch: amd64, arm64 or any.
    url: absolute; http, https or file; empty for what is images alone.
    sha256, sha512: the pinned sum is one of them; both are empty where none is: then checksum_url, unless that is too.
    format: raw, tar, tar.gz, tar.xz, tar.bz2, tar.zst or zip.
    members: pattern in the archive → place below / on a node (a place that ends in / is a folder); a raw file has the
        one pattern "". Empty: nothing of it goes to nodes, the original is kept.
    mode: of the files on a node; 0: as the archive has it.
    images: references of the images that its workloads run.
    logins: what url and checksum_url had of users and passwords.
    """

    component: str
    version: str
    arch: str
    url: str
    sha256: str = ""
    checksum_url: str = ""
    format: str = "raw"
    members: Mapping[str, str] = field(default_factory=dict)
    mode: int = 0
    images: tuple[str, ...] = ()
    sha512: str = ""
    logins: Logins = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """For messages: `kubeadm v1.36.4 (amd64)`."""
        return f"{self.component} {self.version} ({self.arch})"

    @property
    def pinned(self) -> str:
        """The pinned sum, of whichever kind; empty where there is none."""
        return self.sha256 or self.sha512

    def as_dict(self) -> dict[str, object]:
        """For Ansible and JSON: plain types, and no secret."""
        shown = {**asdict(self), "members": dict(self.members), "images": list(self.images)}
        del shown["logins"]
        return shown


class Catalogue:
    """Read once; answers without I/O."""

    def __init__(self, components: Mapping[str, Component]) -> None:
        self._components = components

    @classmethod
    def load(cls, overlays: Sequence[str | Path] = ()) -> Catalogue:
        """The collection's catalogue with `overlays` on it, later ones above.

        Where an overlay lists versions of a component, its newest one becomes the default unless it sets `default`.
        Raises OhmykubeError `catalogue.unreadable` or `catalogue.invalid`.
        """
        components = read(CATALOGUE)
        for overlay in overlays:
            for name, above in read(Path(overlay).expanduser()).items():
                components[name] = _merge(components.get(name, Component()), above)
        return cls(components)

    def components(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(sorted(self._components))

    def versions(self, component: str) -> tuple[str, ...]:
        """Newest first."""
        return tuple(sorted(self._component(component).versions, key=version_key, reverse=True))

    def default(self, component: str) -> str:
        """The version that is meant where none is named.

        That of the overlays (see `load`); else the newest one that has a pinned sum for every architecture, for every
        component of its family; else the newest.
        """
        known = self._component(component)
        if known.default:
            return known.default
        versions = self.versions(component)
        if not versions:
            raise self._missing(f"The catalogue has no version of {component}.")
        relatives = [other for other in self._components.values() if known.family and other.family == known.family]
        for version in versions:
            if all(_complete(relative, version) for relative in [known, *relatives]):
                return version
        return versions[0]

    def artifact(self, component: str, arch: str, version: str = "") -> Artifact:
        """One artifact; an entry for `any` serves every architecture. Raises OhmykubeError `catalogue.missing`."""
        known = self._component(component)
        arch = _ARCH_ALIASES.get(arch, arch)
        wanted = self._version(component, version) if version else self.default(component)
        entries = known.versions.get(wanted)
        if entries is None:
            raise self._missing(f"The catalogue has no {component} {wanted}. {self._known(component)}")
        key = arch if arch in entries else "any"
        if key not in entries:
            raise self._missing(f"The catalogue has {component} {wanted} for {', '.join(sorted(entries))}, not {arch}.")
        return _artifact(component, wanted, key, known, entries[key])

    def _component(self, name: str) -> Component:
        if name in self._components:
            return self._components[name]
        near = difflib.get_close_matches(name, list(self._components), n=3)
        known = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(self.components())}."
        raise self._missing(f"The catalogue has no component {name!r}. {known}")

    def _version(self, component: str, text: str) -> str:
        try:
            return normal_version(text)
        except ValueError:
            raise self._missing(f"{text!r} is no version of {component}. {self._known(component)}") from None

    def _known(self, component: str) -> str:
        return f"Known versions: {', '.join(self.versions(component))}."

    @staticmethod
    def _missing(message: str) -> OhmykubeError:
        return OhmykubeError(
            "catalogue.missing",
            message,
            hint="Name one that is there, or add your own in an overlay (--catalogue FILE or OHMYKUBE_CATALOGUE).",
            exit_code=2,
        )


def version_key(version: str) -> tuple[object, ...]:
    """Sorts versions by number; a pre-release comes before its release."""
    numbers, _, rest = version.lstrip("v").partition("-")
    return (
        tuple(int(number) for number in numbers.split("+")[0].split(".")),
        not rest,
        tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"[.+-]", rest)),
    )


def guess_format(url: str) -> str:
    """By the URL's suffix; `raw` where it has none that is known."""
    path = url.split("?")[0].lower()
    return next((kind for suffix, kind in _SUFFIXES.items() if path.endswith(suffix)), "raw")


def _complete(component: Component, version: str) -> bool:
    entries = component.versions.get(version, {})
    return bool(entries) and all(source.pinned for source in entries.values())


def _merge(below: Component, above: Component) -> Component:
    versions = {version: dict(entries) for version, entries in below.versions.items()}
    for version, entries in above.versions.items():
        for arch, source in entries.items():
            versions.setdefault(version, {})[arch] = source.over(versions.get(version, {}).get(arch, Source()))
    newest = max(above.versions, key=version_key, default=None)
    return replace(
        below,
        source=above.source.over(below.source),
        family=above.family or below.family,
        default=above.default or newest or below.default,
        arch_names={**below.arch_names, **above.arch_names},
        versions=versions,
    )


def _artifact(name: str, version: str, arch: str, component: Component, own: Source) -> Artifact:
    source = own.over(component.source)
    if not source.url and not source.images:
        raise OhmykubeError(
            "catalogue.invalid",
            f"The catalogue has no url for {name} {version} ({arch}).",
            hint="Set `url` in your overlay: at the component, or at the version's architecture.",
            exit_code=2,
        )

    def fill(template: str, url: str = "") -> str:
        values = {"{version}": version[1:], "{arch}": component.arch_names.get(arch, arch), "{url}": url}
        for placeholder, value in values.items():
            template = template.replace(placeholder, value)
        return template

    url, logins = split_login(fill(source.url or ""))
    checksum_url, more_logins = split_login(fill(source.checksum_url or "", url))
    format_ = own.format or (guess_format(url) if own.url else component.source.format or guess_format(url))
    default_mode = _EXECUTABLE if format_ == "raw" and source.members else 0
    return Artifact(
        component=name,
        version=version,
        arch=arch,
        url=url,
        sha256=source.sha256 or "",
        sha512=source.sha512 or "",
        checksum_url=checksum_url,
        format=format_,
        members={fill(pattern): fill(place) for pattern, place in (source.members or {}).items()},
        mode=source.mode if source.mode is not None else default_mode,
        images=tuple(fill(image) for image in source.images or ()),
        logins={**more_logins, **logins},
    )
