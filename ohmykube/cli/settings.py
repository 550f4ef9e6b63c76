"""What the flags of every verb say."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The flags that every verb has."""

    name: str | None
    output: str
    progress: str
    verbose: int
    quiet: bool
    debug: bool
    no_color: bool
    offline: bool
    catalogue: tuple[Path, ...]
    parallel: int
    yes: bool
