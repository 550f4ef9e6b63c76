"""The one error type. It is defined in the collection, whose modules raise it too."""

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import (
    ErrorGroup,
    OhmykubeError,
    each,
    raise_all,
)

__all__ = ["ErrorGroup", "OhmykubeError", "each", "raise_all"]
