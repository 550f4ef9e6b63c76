"""What one field alone cannot tell. Every problem names the path of the field to change."""

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from ansible_collections.ohmykube.cluster.plugins.module_utils.requirements import CNI, CSI

from ohmykube.model import storage
from ohmykube.model.document import Path, nearest
from ohmykube.model.machines import wanted
from ohmykube.model.parts import parts
from ohmykube.model.problem import Problem
from ohmykube.model.quantity import format_bytes
from ohmykube.model.spec import Cluster, Group

# kubeadm's own preflight refuses a control plane below these; a kubelet and a CNI need the latter.
CONTROL_PLANE_MEMORY = 1700 * 2**20
CONTROL_PLANE_CPU = 2
WORKER_MEMORY = 512 * 2**20
SMALLEST_DISK = 5 * 2**30
OLDEST = (1, 31)  # it has kubeadm.k8s.io/v1beta4, and NodeSwap without a feature gate


def check(cluster: Cluster, supported_versions: tuple[str, ...]) -> list[Problem]:
    """All problems of a well-formed cluster, in the order of the file."""
    return [
        *_version(cluster, supported_versions),
        *_sizes(cluster),
        *_names(cluster),
        *_networks(cluster),
        *_chosen(cluster),
        *_no_proxy(cluster),
        *_shared_address(cluster),
        *_pods(cluster),
        *_hosts(cluster),
        *storage.problems(cluster),
        *_custom(cluster),
    ]


def warnings(cluster: Cluster) -> list[str]:
    """What may be, and nobody wants to stay so: an even number of control planes, one of an odd number being gone."""
    many = sum(machine.role == "control-plane" for machine in wanted(cluster))
    if many % 2:
        return []
    one_more = f"add one (`ohmykube add --role control-plane --name {cluster.name}`)"
    if cluster.spec.provider == "static":
        one_more = "add one to spec.hosts"
    return [f"{even(many)}; {one_more}, or delete one"]


def even(many: int) -> str:
    """Why nobody wants so many control planes."""
    return f"{many} control planes bear the loss of no more of them than {many - 1}: etcd needs more than half"


def _version(cluster: Cluster, supported: tuple[str, ...]) -> Iterator[Problem]:
    version = cluster.spec.kubernetes_version
    if version not in supported:
        yield Problem(
            ("spec", "kubernetesVersion"),
            f"{version} is not in the catalogue",
            f"it has {', '.join(supported)}; an overlay (--catalogue FILE) can add others",
        )
    elif tuple(int(part) for part in version[1:].split(".")[:2]) < OLDEST:
        words = f"{version} does not know the kubeadm documents that are written here (v1beta4)"
        yield Problem(("spec", "kubernetesVersion"), words, "v1.31 and later do")


def _sizes(cluster: Cluster) -> Iterator[Problem]:
    spec = cluster.spec
    plane: Path = ("spec", "controlPlane")
    if spec.provider == "static":
        return
    many = spec.control_plane.count
    if many % 2 == 0 and not spec.control_plane.absent:  # one of an odd number may have been deleted
        yield Problem((*plane, "count"), even(many), f"{many - 1} or {many + 1} is what you want")
    if spec.control_plane.cpu < CONTROL_PLANE_CPU:
        yield Problem((*plane, "cpu"), f"kubeadm needs {CONTROL_PLANE_CPU} CPUs on a control plane")
    if spec.control_plane.memory < CONTROL_PLANE_MEMORY:
        yield Problem(
            (*plane, "memory"),
            f"{format_bytes(spec.control_plane.memory)} is below kubeadm's minimum of 1700MiB for a control plane",
            "4GiB is a good start",
        )
    for index, workers in enumerate(spec.workers):
        if workers.memory < WORKER_MEMORY:
            yield Problem(
                ("spec", "workers", index, "memory"),
                f"{format_bytes(workers.memory)} is too little",
                "2GiB is a good start",
            )
    groups: list[tuple[Path, Group]] = [(plane, spec.control_plane)]
    groups += [(("spec", "workers", index), group) for index, group in enumerate(spec.workers)]
    for path, group in groups:
        if group.disk < SMALLEST_DISK:
            words = f"{format_bytes(group.disk)} is too little for Kubernetes"
            yield Problem((*path, "disk"), words, "10GiB is a good start")


def _names(cluster: Cluster) -> Iterator[Problem]:
    names = Counter(group.name for group in cluster.spec.workers)
    for index, group in enumerate(cluster.spec.workers):
        path: Path = ("spec", "workers", index, "name")
        if names[group.name] > 1:
            yield Problem(path, f"{group.name!r} names two groups")
        if group.name == "control-plane":
            yield Problem(path, "the group 'control-plane' is spec.controlPlane")
        if len(f"{cluster.name}-{group.name}-100") > 63:
            yield Problem(
                path, f"{cluster.name}-{group.name}-1 would be too long for a host name", "choose a shorter name"
            )


def _networks(cluster: Cluster) -> Iterator[Problem]:
    network = cluster.spec.network
    pods, services = network.pod_cidr.split(","), network.service_cidr.split(",")
    if len(pods) != len(services):
        words = "is of both families, and the other of IPv4 alone"
        path = "podCIDR" if len(pods) > 1 else "serviceCIDR"
        yield Problem(("spec", "network", path), words, "pods and services have addresses of the same families")
    for own, others in zip(pods, services, strict=False):
        yield from _network(ip_network(own), ip_network(others))


def _chosen(cluster: Cluster) -> Iterator[Problem]:
    """What is not built in is one of the cluster's add-ons."""
    network, csi = cluster.spec.network, cluster.spec.storage.csi
    if network.cni not in (known := (*CNI, *cluster.addon_names)):
        words = f"{network.cni!r} is no pod network, and none of spec.addons has this name"
        yield Problem(("spec", "network", "cni"), words, nearest(network.cni, known))
    if csi not in (known := (*CSI, *cluster.addon_names)):
        words = f"{csi!r} is no storage, and none of spec.addons has this name"
        yield Problem(("spec", "storage", "csi"), words, nearest(csi, known))


def _no_proxy(cluster: Cluster) -> Iterator[Problem]:
    network = cluster.spec.network
    if network.proxy_mode == "none" and network.cni in ("flannel", "none"):  # an add-on may do it, too
        words = f"without kube-proxy services need a pod network that makes them, and cni is {network.cni}"
        yield Problem(("spec", "network", "proxyMode"), words, "set cni to cilium, or proxyMode to nftables")


def _network(pods: IPv4Network | IPv6Network, services: IPv4Network | IPv6Network) -> Iterator[Problem]:
    if pods.version == services.version and pods.overlaps(services):
        yield Problem(
            ("spec", "network", "serviceCIDR"),
            f"{services} overlaps the pod CIDR {pods}",
            "the defaults do not overlap",
        )
    share = 24 if pods.version == 4 else 64
    if pods.prefixlen > share - 2:
        yield Problem(("spec", "network", "podCIDR"), f"{pods} is too small: each node takes a /{share} of it")
    if pods.prefixlen < share - 16:
        yield Problem(("spec", "network", "podCIDR"), f"{pods} is larger than Kubernetes accepts (/{share - 16})")
    if services.prefixlen < services.max_prefixlen - 20:
        yield Problem(
            ("spec", "network", "serviceCIDR"),
            f"{services} is larger than the API server accepts (/{services.max_prefixlen - 20})",
        )


def _shared_address(cluster: Cluster) -> Iterator[Problem]:
    network, path = cluster.spec.network, ("spec", "network", "apiAddress")
    if network.api_address == "auto":
        return
    if any(host.address == network.api_address for host in cluster.spec.hosts):
        yield Problem(path, f"{network.api_address} is a host's own", "name one that is free")
    if network.load_balancer != "none" and _in_pool(network.api_address, network.address_pool):
        yield Problem(path, f"{network.api_address} is in the addressPool of load balancers", "name one outside of it")


def _in_pool(address: str, pool: str) -> bool:
    if pool in ("auto", ""):
        return False
    return any(_in_range(address, part) for part in pool.split(","))


def _in_range(address: str, pool: str) -> bool:
    if "/" in pool:
        return ip_address(address) in ip_network(pool)
    first, last = (ip_address(part.strip()) for part in pool.split("-"))
    return first.version == 4 and int(first) <= int(ip_address(address)) <= int(last)


def _pods(cluster: Cluster) -> Iterator[Problem]:
    network = cluster.spec.network
    if network.cni == "none" and network.load_balancer != "none":
        words = f"{network.load_balancer} cannot start without a pod network, and network.cni is none"
        yield Problem(
            ("spec", "network", "loadBalancer"),
            words,
            "set it to none (--lb none), or choose a CNI: an add-on of yours can be it",
        )


def _hosts(cluster: Cluster) -> Iterator[Problem]:
    spec = cluster.spec
    if spec.provider != "static":
        if spec.hosts:
            yield Problem(
                ("spec", "hosts"), f"provider {spec.provider} makes its machines itself", "use provider: static"
            )
        return
    if not spec.hosts:
        yield Problem(
            ("spec", "hosts"), "provider static needs the machines' addresses", "list name, address and role of each"
        )
        return
    planes = sum(host.role == "control-plane" for host in spec.hosts)
    if planes == 0:
        yield Problem(("spec", "hosts"), "no host has the role control-plane", "1, 3 or 5 of them must")
    if planes > 1 and spec.network.api_address == "auto":
        yield Problem(
            ("spec", "network", "apiAddress"),
            "nobody but you knows which address of the hosts' network is free for the control planes to share",
            "name one like 192.168.1.239, of which DHCP knows nothing",
        )
    for key in ("name", "address"):
        counts = Counter(getattr(host, key) for host in spec.hosts)
        for index, host in enumerate(spec.hosts):
            if counts[getattr(host, key)] > 1:
                yield Problem(("spec", "hosts", index, key), f"{getattr(host, key)} stands twice")
    if spec.network.load_balancer == "metallb" and spec.network.address_pool in ("", "auto"):
        yield Problem(
            ("spec", "network", "addressPool"),
            "nobody but you knows which addresses of the hosts' network are free for load balancers",
            "name a range like 192.168.1.240-192.168.1.250, or set loadBalancer: none",
        )


def _custom(cluster: Cluster) -> Iterator[Problem]:
    """A hook is known on its node by moment and name, a file by its path."""
    spec = cluster.spec
    for path, part in parts(cluster):
        for index, file in enumerate(part.files):
            if file.path in [other.path for other in part.files[:index]]:
                yield Problem((*path, "files", index, "path"), f"{file.path} stands twice")
        for (moment, hooks), (_, others) in zip(part.hooks.moments(), spec.hooks.moments(), strict=True):
            known = [] if part is spec else [hook.name for hook in others]
            for index, hook in enumerate(hooks):
                if hook.name in known:
                    words = f"two hooks of one node are called {hook.name}"
                    yield Problem((*path, "hooks", moment, index, "name"), words, "give one of them another name")
                known.append(hook.name)
