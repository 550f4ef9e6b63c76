"""The cluster file as frozen values. Defaults live here and nowhere else.

Field names are the file's own keys in snake case; `podCIDR` and its like carry an alias. Sizes are bytes.
"""

import platform
import re
from ipaddress import IPv4Address, ip_address, ip_network
from itertools import count, islice
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from ohmykube.errors import OhmykubeError
from ohmykube.model.base import STRICT
from ohmykube.model.custom import Hooks, NodeFile
from ohmykube.model.quantity import format_bytes, parse_bytes

API_VERSION = "ohmykube.dev/v1"

# `cache` and the like are folders of the home directory; a cluster of that name would invite confusion.
RESERVED_NAMES = frozenset({"all", "cache", "clusters", "current", "lima"})
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def check_name(name: str, longest: int = 40) -> str:
    """A lower-case DNS label; raises ValueError with the rule."""
    if not _LABEL.fullmatch(name) or len(name) > longest:
        raise ValueError(
            f"{name!r} is no valid name: use lower-case letters, digits and '-' between them, at most {longest} in all"
        )
    if name in RESERVED_NAMES:
        raise ValueError(f"the name {name!r} is reserved: choose another")
    return name


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


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = STRICT


class Disk(Model):
    size: Size


class Group(Model):
    """Machines of one size. Labels, annotations and taints go onto their nodes, `vars` to the roles.

    hooks, files: after those of the whole cluster. absent: numbers that no machine has, since it was deleted while
    later ones stayed.
    """

    count: int = Field(ge=0, le=100)
    absent: tuple[Annotated[int, Field(ge=1)], ...] = ()
    cpu: int = Field(ge=1, le=256)
    memory: Size
    disk: Size
    disks: tuple[Disk, ...] = ()
    labels: Labels = {}
    annotations: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()
    hooks: Hooks = Hooks()
    files: tuple[NodeFile, ...] = ()
    vars: dict[str, Any] = {}

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its machines: the first ones that are not absent."""
        return tuple(islice((number for number in count(1) if number not in self.absent), self.count))


class ControlPlane(Group):
    count: int = Field(1, ge=1, le=9)
    cpu: int = Field(2, ge=1, le=256)
    memory: Size = 4 * 2**30
    disk: Size = 20 * 2**30


class WorkerGroup(Group):
    name: Name = "worker"
    count: int = Field(1, ge=0, le=100)
    cpu: int = Field(1, ge=1, le=256)
    memory: Size = 2 * 2**30
    disk: Size = 10 * 2**30


class Network(Model):
    """`api_address`: a free address in the machines' network, which several control planes share.

    pod_cidr, service_cidr: of IPv4, or of IPv4 and IPv6 (dual-stack) with a comma between.
    """

    @property
    def cidrs(self) -> tuple[str, ...]:
        """What pods and services use up."""
        return *self.pod_cidr.split(","), *self.service_cidr.split(",")

    cni: Literal["flannel", "none"] = "flannel"
    pod_cidr: Cidrs = Field("10.244.0.0/16", alias="podCIDR")
    service_cidr: Cidrs = Field("10.96.0.0/12", alias="serviceCIDR")
    proxy_mode: Literal["nftables", "iptables", "ipvs"] = "nftables"
    load_balancer: Literal["metallb", "none"] = "metallb"
    address_pool: Annotated[str, AfterValidator(_check_pools)] = "auto"
    api_address: Annotated[str, AfterValidator(_check_address)] = "auto"


class Storage(Model):
    csi: Literal["local-path", "none"] = "local-path"


class KubeadmRead(Model):
    """What the user's own files for kubeadm said: documents, and patches by the name of their file."""

    documents: tuple[dict[str, Any], ...] = ()
    patches: dict[str, str] = {}


class Kubeadm(Model):
    """`config`: a file with kubeadm documents of your own, merged over ours. `patches`: a folder of patches."""

    config: str = ""
    patches: str = ""
    read: KubeadmRead = KubeadmRead()  # written by ohmykube, so that no later verb depends on these files


class Host(Model):
    """A machine that exists (provider static). `name` becomes its host name in the cluster."""

    name: Annotated[str, AfterValidator(lambda name: check_name(name, 63))]
    address: str = Field(min_length=1)
    role: Literal["control-plane", "worker"] = "worker"
    labels: Labels = {}
    annotations: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()
    hooks: Hooks = Hooks()
    files: tuple[NodeFile, ...] = ()
    vars: dict[str, Any] = {}


class Ssh(Model):
    """How to reach the machines of provider static."""

    user: str = "root"
    identity_file: str = "~/.ssh/id_ed25519"
    port: int = Field(22, ge=1, le=65535)


class Registry(Model):
    """`mirrors`: URLs asked in this order before the registry itself."""

    mirrors: tuple[str, ...] = ()


class AddonWish(Model):
    """An add-on that is built in, or with `path`, a folder of your own."""

    name: Annotated[str, AfterValidator(check_name)]
    path: str = ""
    files: dict[str, str] = {}  # what is in the folder, written by ohmykube, so that no later verb depends on it


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Metadata(Model):
    name: Name


class Spec(Model):
    kubernetes_version: Annotated[str, AfterValidator(_check_version)]
    provider: str
    template: str = "ubuntu-24.04"
    control_plane: ControlPlane = ControlPlane()
    workers: tuple[WorkerGroup, ...] = (WorkerGroup(count=2),)
    network: Network = Network()
    storage: Storage = Storage()
    swap: bool = False
    kubeadm: Kubeadm = Kubeadm()
    hosts: tuple[Host, ...] = ()
    ssh: Ssh = Ssh()
    registries: dict[str, Registry] = {}
    hooks: Hooks = Hooks()
    files: tuple[NodeFile, ...] = ()
    addons: tuple[Annotated[AddonWish, BeforeValidator(_named, json_schema_input_type=str | AddonWish)], ...] = ()
    vars: dict[str, Any] = {}


class Cluster(Model):
    api_version: Literal["ohmykube.dev/v1"]
    kind: Literal["Cluster"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def addon_names(self) -> tuple[str, ...]:
        return tuple(addon.name for addon in self.spec.addons)

    @property
    def image_name(self) -> str:
        """Of the machine image that its machines can begin with."""
        spec = self.spec
        template = spec.template.rpartition("/")[2].removesuffix(".yaml")
        return f"{spec.provider}-{template}-{platform.machine()}-{spec.kubernetes_version}-{spec.network.cni}"

    def as_data(self) -> dict[str, Any]:
        """The complete cluster file: every default filled in, sizes with their unit."""
        return self.model_dump(by_alias=True, mode="json")
