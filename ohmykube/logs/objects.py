"""YAML without what may be secret: values by their name, also in environments, and copies of what was applied."""

import json
from typing import Any

import yaml

from ohmykube.logs.redact import REMOVED, names_a_secret

_COPY = "kubectl.kubernetes.io/last-applied-configuration"
_UNTOLD = ("managedFields",)
_TEXTS = ("content", "script")
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def as_yaml(text: str) -> str:
    """From the JSON that kubectl prints. ValueError where it is none. Secrets are no part of it, whatever was asked."""
    items = json.loads(text)["items"]
    told = [_clean(item) for item in items if item.get("kind") != "Secret"]
    return "".join(yaml.dump(item, Dumper=_DUMPER, sort_keys=False, explicit_start=True) for item in told)


def clean(document: str) -> str:
    """A cluster file without the values of keys that name a secret, and without the texts of hooks and files.

    One that is damaged comes as it is.
    """
    try:
        return str(yaml.dump(_without_texts(_clean(yaml.safe_load(document))), Dumper=_DUMPER, sort_keys=False))
    except yaml.YAMLError:
        return document


def _without_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_texts(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: REMOVED if key in _TEXTS and each else _without_texts(each) for key, each in value.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if not isinstance(value, dict):
        return value
    cleaned = {key: _clean(each) for key, each in value.items() if key not in (*_UNTOLD, _COPY)}
    if set(value) >= {"name", "value"} and names_a_secret(str(value["name"])):
        cleaned["value"] = REMOVED
    return {key: REMOVED if isinstance(each, str) and names_a_secret(key) else each for key, each in cleaned.items()}
