"""The cluster file as frozen values. Defaults live here and nowhere else, and so does what a person is told of a key.

Field names are the file's own keys in snake case; `podCIDR` and its like carry an alias. Sizes are bytes. Descriptions
are what editors show by the JSON Schema, and the comments of a file that `init` writes: short, for they stand beside.
"""

import platform
from itertools import count, islice
from typing import Annotated, Any, Literal

from ansible_collections.ohmykube.cluster.plugins.module_utils.requirements import CNI, CSI
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from ohmykube.model.base import STRICT
from ohmykube.model.custom import Hooks, NodeFile
from ohmykube.model.names import check_name
from ohmykube.model.values import (
    Address,
    AddressPools,
    Cidrs,
    Labels,
    Name,
    ProxyLess,
    ProxyUrl,
    Size,
    Taint,
    Version,
)

API_VERSION = "ohmykube.dev/v1"


_Cpu = Annotated[int, Field(ge=1, le=256, description="CPUs of each.")]
_Memory = Annotated[Size, Field(description="Memory of each; a bare number is GB.")]
_Disk = Annotated[Size, Field(description="Disk of each; only what is used takes room.")]
_RawDisk = Annotated[str, Field(pattern=r"^/dev/[^\s]+$")]
_Labels = Annotated[Labels, Field(description="Labels of its nodes.")]
_Annotations = Annotated[dict[str, str], Field(description="Annotations of its nodes.")]
_Taints = Annotated[tuple[Taint, ...], Field(description='Taints, like "key=value:NoSchedule".')]
_Hooks = Annotated[Hooks, Field(description="Scripts that run on its nodes, each once.")]
_Files = Annotated[tuple[NodeFile, ...], Field(description="Files and folders placed on its nodes.")]
_Vars = Annotated[dict[str, Any], Field(description="Variables of the Ansible roles.")]


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = STRICT


class Disk(Model):
    """A raw disk, for storage that wants one."""

    size: Size = Field(description="Its size; a bare number is GB.")


class Group(Model):
    """Machines of one size. Labels, annotations and taints go onto their nodes, `vars` to the roles.

    hooks, files: after those of the whole cluster. absent: numbers that no machine has, since it was deleted while
    later ones stayed.
    """

    count: int = Field(ge=0, le=100)
    absent: tuple[Annotated[int, Field(ge=1)], ...] = Field((), description="Numbers that no machine has any more.")
    cpu: _Cpu
    memory: _Memory
    disk: _Disk
    disks: tuple[Disk, ...] = Field((), description="Raw disks of each, like {size: 20GiB}.")
    labels: _Labels = {}
    annotations: _Annotations = {}
    taints: _Taints = ()
    hooks: _Hooks = Hooks()
    files: _Files = ()
    vars: _Vars = {}

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its machines: the first ones that are not absent."""
        return tuple(islice((number for number in count(1) if number not in self.absent), self.count))


class ControlPlane(Group):
    """Without workers it takes the workloads."""

    count: int = Field(1, ge=1, le=9, description="How many: 1, 3 or 5.")
    cpu: _Cpu = 2
    memory: _Memory = 4 * 2**30
    disk: _Disk = 20 * 2**30


class WorkerGroup(Group):
    """Workers of one size."""

    name: Name = Field("worker", description="Of the group; its machines are numbered.")
    count: int = Field(1, ge=0, le=100, description="How many.")
    cpu: _Cpu = 1
    memory: _Memory = 2 * 2**30
    disk: _Disk = 10 * 2**30


class Network(Model):
    """Networks within the cluster, and addresses that it takes from that of the machines."""

    cni: Name = Field("flannel", description="Pod network; an add-on can be it.", examples=list(CNI))
    pod_cidr: Cidrs = Field("10.244.0.0/16", alias="podCIDR", description="Of pods: IPv4, or IPv4,IPv6.")
    service_cidr: Cidrs = Field("10.96.0.0/12", alias="serviceCIDR", description="Of services, of the same families.")
    proxy_mode: Literal["nftables", "iptables", "ipvs", "none"] = Field(
        "nftables", description="nftables, iptables, ipvs; none with cilium."
    )
    load_balancer: Literal["metallb", "none"] = Field(
        "metallb", description="For services of type LoadBalancer; or none."
    )
    address_pool: AddressPools = Field("auto", description="Of load balancers, like 10.0.0.2-10.0.0.9.")
    api_address: Address = Field("auto", description="Shared by control planes; a free address.")

    @property
    def cidrs(self) -> tuple[str, ...]:
        """What pods and services use up."""
        return *self.pod_cidr.split(","), *self.service_cidr.split(",")


class Storage(Model):
    """What volumes are made by."""

    csi: Name = Field("local-path", description="local-path, rook-ceph, an add-on; none.", examples=list(CSI))


class KubeadmRead(Model):
    """What the user's own files for kubeadm said: documents, and patches by the name of their file."""

    documents: tuple[dict[str, Any], ...] = ()
    patches: dict[str, str] = {}


class Kubeadm(Model):
    """Files of your own for kubeadm."""

    config: str = Field("", description="A file with kubeadm documents of your own, merged over ours.")
    patches: str = Field("", description="A folder of patches of what kubeadm makes, a file each.")
    read: KubeadmRead = KubeadmRead()  # written by ohmykube, so that no later verb depends on these files


class Host(Model):
    """A machine that exists (provider static). `name` becomes its host name in the cluster."""

    name: Annotated[str, AfterValidator(lambda name: check_name(name, 63))] = Field(
        description="Becomes its host name."
    )
    address: str = Field(min_length=1, description="At which other hosts and this computer reach it.")
    role: Literal["control-plane", "worker"] = Field("worker", description="control-plane or worker.")
    disks: tuple[_RawDisk, ...] = Field((), description="Raw disks for Ceph, like /dev/sdb; empty ones.")
    labels: _Labels = {}
    annotations: _Annotations = {}
    taints: _Taints = ()
    hooks: _Hooks = Hooks()
    files: _Files = ()
    vars: _Vars = {}


class Ssh(Model):
    """How to reach the machines of provider static."""

    user: str = Field("root", description="root, or one who may use sudo without a password.")
    identity_file: str = Field("~/.ssh/id_ed25519", description="The private key that they accept.")
    port: int = Field(22, ge=1, le=65535, description="Of their sshd.")


class Registry(Model):
    """How a host is reached that images come from; what is said of it holds where it is a mirror too."""

    mirrors: tuple[str, ...] = Field((), description="URLs asked in this order before the registry itself.")
    ca: str = Field("", description="A file with certificates (PEM) that vouch for it.")
    insecure: bool = Field(False, description="Whether its certificate is not looked at.")
    credentials: str = Field("", description="A file as `docker login` writes it.")


class Proxy(Model):
    """What nodes reach registries through. A URL with a password is to be in a file of its own."""

    http_proxy: ProxyUrl = Field("", description="URL, or a file that holds it.")
    https_proxy: ProxyUrl = Field("", description="URL, or a file that holds it.")
    no_proxy: tuple[ProxyLess, ...] = Field((), description="What is reached without it.")


class AddonWish(Model):
    """An add-on that is built in, or with `path`, a folder of your own; a name alone will do."""

    name: Name = Field(description="One that `ohmykube addon list` shows, or yours.")
    path: str = Field("", description="A folder of your own with its manifests.")
    files: dict[str, str] = {}  # what is in the folder, written by ohmykube, so that no later verb depends on it


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


_Addon = Annotated[AddonWish, BeforeValidator(_named, json_schema_input_type=str | AddonWish)]


class Metadata(Model):
    """Which cluster it is."""

    name: Name = Field(description="Names of machines begin with it.")


class Spec(Model):
    """What the cluster is made of."""

    kubernetes_version: Version = Field(description="Which one; `ohmykube version` lists them.")
    provider: str = Field(description="Makes the machines: lima, static, nspawn.")
    template: str = Field("ubuntu-24.04", description="Machine image, or a Lima template's path.")
    control_plane: ControlPlane = Field(ControlPlane(), description="Machines of the control plane.")
    workers: tuple[WorkerGroup, ...] = Field((WorkerGroup(count=2),), description="Groups of workers.")
    network: Network = Field(Network(), description="Of pods, services and load balancers.")
    storage: Storage = Field(Storage(), description="What volumes are made by.")
    swap: bool = Field(False, description="Leave swap on, and let pods use some.")
    kubeadm: Kubeadm = Field(Kubeadm(), description="Files of your own for kubeadm.")
    hosts: tuple[Host, ...] = Field((), description="Machines that exist already (provider static).")
    ssh: Ssh = Field(Ssh(), description="How to reach them (provider static).")
    registries: dict[str, Registry] = Field({}, description="Mirrors and logins, by the registry.")
    proxy: Proxy = Field(Proxy(), description="What nodes reach registries through.")
    hooks: _Hooks = Hooks()
    files: _Files = ()
    addons: tuple[_Addon, ...] = Field((), description="Add-ons by name; a folder has a path, too.")
    vars: _Vars = {}


class Cluster(Model):
    """A cluster file."""

    api_version: Literal["ohmykube.dev/v1"] = Field(description="Of this file's form.")
    kind: Literal["Cluster"] = Field(description="What this file describes.")
    metadata: Metadata = Field(description="Which cluster it is.")
    spec: Spec = Field(description="What it is made of.")

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
