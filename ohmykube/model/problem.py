"""Something that is wrong with a wish."""

from dataclasses import dataclass

from ohmykube.model.document import Path


@dataclass(frozen=True)
class Problem:
    """path: of the field to change."""

    path: Path
    words: str
    hint: str = ""
