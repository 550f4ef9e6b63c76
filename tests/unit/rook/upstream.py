"""Rook's own manifests, where this computer has them: they are large, so the repository has none."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import BUNDLE

FILES = ("crds", "common", "csi-operator", "operator")
FOLDER = BUNDLE / "manifests/rook"
HERE = all((FOLDER / f"{name}.yaml").exists() for name in FILES)
needed = pytest.mark.skipif(not HERE, reason="Rook's manifests are not in the test bundle: manifests/rook")


def file(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def texts() -> list[str]:
    return [file(name).read_text() for name in FILES]


def documents(*written: str) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [item for text in written for item in yaml.load_all(text, loader) if item]


def strict(schema: Any) -> Any:
    """A CRD's schema as the API server understands it with strict validation: unknown fields are refused."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made
