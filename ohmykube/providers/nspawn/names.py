"""Names of what a cluster leaves on the computer: short enough for interfaces (15 characters), never shared.

They follow from the folder, not from the cluster's name alone: two homes may each have a cluster `dev`, and no name is
the beginning of another's.
"""

import hashlib
from pathlib import Path

PREFIX = "omk-"


def unique(folder: Path) -> str:
    """`omk-` and eight hexadecimal digits, always the same for a folder."""
    return PREFIX + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
