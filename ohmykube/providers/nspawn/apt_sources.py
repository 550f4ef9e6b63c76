"""The computer's own package sources: machines come from where its own packages come from, checked with its keys."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# suite: distribution, the template's name, and the keyring that signs it
_SUITES = {
    "debian-12": ("debian", "bookworm"),
    "debian-13": ("debian", "trixie"),
    "ubuntu-24.04": ("ubuntu", "noble"),
}
_CODENAMES = {
    "debian": ("bullseye", "bookworm", "trixie", "forky", "sid", "stable", "testing"),
    "ubuntu": ("focal", "jammy", "noble", "plucky", "questing", "resolute"),
}
_KEYRING = "/usr/share/keyrings/{}-archive-keyring.gpg"
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


@dataclass(frozen=True)
class Source:
    uri: str
    suite: str  # "bookworm-security"
    components: tuple[str, ...]
    signed_by: str = ""  # a keyring's path; empty: apt's trusted ones

    def line(self) -> str:
        """As sources.list and mmdebstrap take it."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}"


@dataclass(frozen=True)
class Distribution:
    """What a base is made from. The first source is the release itself, then updates and security fixes."""

    template: str  # "debian-12"
    suite: str  # "bookworm"
    sources: tuple[Source, ...]


def templates() -> tuple[str, ...]:
    return tuple(_SUITES)


def configured(root: Path = Path("/")) -> list[Source]:
    """Every package source of this computer that is in use."""
    folder = root / "etc/apt"
    found: list[Source] = []
    for file in sorted([folder / "sources.list", *folder.glob("sources.list.d/*")]):
        if file.suffix == ".list" and file.is_file():
            found += parse_one_line(file.read_text(errors="replace"))
        elif file.suffix == ".sources" and file.is_file():
            found += parse_deb822(file.read_text(errors="replace"))
    return [_resolved(source, root) for source in found]


def distribution(template: str, sources: Iterable[Source], root: Path = Path("/")) -> Distribution | None:
    """The distribution of that template from the configured sources; None where these or its keys are missing."""
    family, suite = _SUITES[template]
    keyring = _KEYRING.format(family)
    if not (root / keyring.lstrip("/")).exists():
        return None
    made: dict[str, Source] = {}
    for source in sources:
        codename, _, pocket = source.suite.partition("-")
        if codename not in _CODENAMES[family] or "main" not in source.components or pocket not in _POCKETS:
            continue
        if source.signed_by and source.signed_by != keyring:
            continue  # somebody else's repository that happens to name its suites like the distribution
        wanted = f"{suite}-{pocket}" if pocket else suite
        components = tuple(name for name in source.components if name in ("main", "universe"))
        made.setdefault(wanted, replace(source, suite=wanted, components=components, signed_by=keyring))
    if suite not in made:
        return None
    return Distribution(template, suite, tuple(made[name] for name in sorted(made)))


_POCKETS = ("", "updates", "security")


def parse_one_line(text: str) -> list[Source]:
    """The classic format of sources.list."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match is None:
            continue
        options = dict(
            option.split("=", 1) for option in (match["options"] or "").replace("= ", "=").split() if "=" in option
        )
        found.append(
            Source(match["uri"], match["suite"], tuple(match["components"].split()), options.get("signed-by", ""))
        )
    return found


def parse_deb822(text: str) -> list[Source]:
    """The format of *.sources: paragraphs of `Key: value`, a value continued by indented lines."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                key = name.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        keys = fields.get("signed-by", "")
        signed_by = keys if keys.startswith("/") else ""  # else a key written out here: then apt's own keyring is used
        found += [
            Source(uri, suite, tuple(fields.get("components", "").split()), signed_by)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def _resolved(source: Source, root: Path) -> Source:
    """`mirror+file:` lists name the real mirrors, best first; a machine does not have that list."""
    if not source.uri.startswith("mirror+file:"):
        return source
    listed = root / source.uri.removeprefix("mirror+file:").lstrip("/")
    lines: Sequence[str] = listed.read_text().split("\n") if listed.exists() else []
    first = next((line.split()[0] for line in lines if line.strip() and not line.startswith("#")), source.uri)
    return replace(source, uri=first)
