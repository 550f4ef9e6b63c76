"""Image archives that are added to a cache."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

FULL = "docker.io/library/busybox:1.37"


def refused(add, content: bytes) -> OhmykubeError:  # type: ignore[no-untyped-def]
    with pytest.raises(OhmykubeError) as caught:
        add(content)
    return caught.value
