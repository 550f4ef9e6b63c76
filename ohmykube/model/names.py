"""What a cluster, a group or a host may be called. Apart from the other values: verbs that are fast need no more."""

import re

from ohmykube.errors import OhmykubeError

# `cache` and the like are folders of the home directory; a cluster of that name would invite confusion.
RESERVED_NAMES = frozenset({"all", "cache", "clusters", "current", "lima"})
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def check_name(name: str, longest: int = 40) -> str:
    """A lower-case DNS label; raises ValueError with the rule."""
    if not _LABEL.fullmatch(name) or len(name) > longest:
        raise ValueError(
            f"{name!r} is no valid name: use lower-case letters, digits and '-' between them, at most {longest} in all"
        )
    if name in RESERVED_NAMES:
        raise ValueError(f"the name {name!r} is reserved: choose another")
    return name


def names_file(template: str) -> bool:
    """Whether a template is a path, and no name of the catalogue."""
    return "/" in template or template.endswith((".yaml", ".yml"))


def cluster_name(name: str) -> str:
    """The name as typed, or OhmykubeError `name.invalid`."""
    try:
        return check_name(name)
    except ValueError as error:
        raise OhmykubeError("name.invalid", str(error), context={"name": name}, exit_code=2) from error
