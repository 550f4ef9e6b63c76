"""Values of one field: what is taken for a name, a size, an address. Each says itself what is wrong with it."""

import re
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import without_login
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from ohmykube.errors import OhmykubeError
from ohmykube.model.names import check_name
from ohmykube.model.quantity import format_bytes, parse_bytes

_QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _check_cidr(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no network in CIDR form, like 10.244.0.0/16: {error}") from error


def _check_cidrs(value: str) -> str:
    """Of one family, or of both: as kubeadm writes them."""
    networks = [_check_cidr(part.strip()) for part in value.split(",")]
    if [":" in network for network in networks] not in ([False], [False, True]):
        raise ValueError(f"{value!r}: write one network of IPv4, or one of IPv4, a comma, and one of IPv6")
    return ",".join(networks)


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not _QUALIFIED.fullmatch(key) or not _LABEL_VALUE.fullmatch(value) or len(value) > 63:
            raise ValueError(f"{key}={value} is no valid label")
    return labels


def _check_taint(taint: str) -> str:
    key, _, effect = taint.rpartition(":")
    name, _, value = key.partition("=")
    if effect not in _TAINT_EFFECTS or not _QUALIFIED.fullmatch(name) or not _LABEL_VALUE.fullmatch(value):
        raise ValueError(
            f"{taint!r} is no taint: write key=value:Effect with Effect one of {', '.join(_TAINT_EFFECTS)}"
        )
    return taint


def _check_version(value: str) -> str:
    version = value if value.startswith("v") else f"v{value}"
    if not re.fullmatch(r"v\d+\.\d+\.\d+", version):
        raise ValueError(f"{value!r} is no Kubernetes version like v1.36.4")
    return version


def _check_pools(value: str) -> str:
    """Ranges with commas between them."""
    return ",".join(_check_pool(part.strip()) for part in value.split(","))


def _check_pool(value: str) -> str:
    if value in ("auto", ""):
        return value
    try:
        first, last = (ip_address(part.strip()) for part in value.split("-"))
    except ValueError:
        return _check_cidr(value)
    if first.version != last.version or int(first) > int(last):
        raise ValueError(f"{value!r} ends before it begins")
    return value


def _bytes(value: object) -> int:
    try:
        return parse_bytes(value)
    except OhmykubeError as error:
        raise ValueError(f"{error.message}: {error.hint}") from error


def _check_address(value: str) -> str:
    try:
        return value if value == "auto" else str(IPv4Address(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no IPv4 address") from error


def _check_proxy(value: str) -> str:
    if "://" not in value:  # a file
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{without_login(value)!r} is no proxy: write one like http://proxy.example.org:3128")
    if parts.username is not None:
        raise ValueError(f"{without_login(value)!r} had a login: write that URL to a file, and the file's name here")
    return value


Name = Annotated[str, AfterValidator(check_name)]
Cidrs = Annotated[str, AfterValidator(_check_cidrs)]
Labels = Annotated[dict[str, str], AfterValidator(_check_labels)]
Taint = Annotated[str, AfterValidator(_check_taint)]
Size = Annotated[
    int,
    BeforeValidator(_bytes),
    PlainSerializer(format_bytes, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "examples": ["4GiB", 4]}),
]
Version = Annotated[str, AfterValidator(_check_version)]
AddressPools = Annotated[str, AfterValidator(_check_pools)]
Address = Annotated[str, AfterValidator(_check_address)]
ProxyUrl = Annotated[str, AfterValidator(_check_proxy)]
ProxyLess = Annotated[str, Field(pattern=r"^[^,\s]+$")]
