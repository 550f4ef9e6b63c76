"""Which machines have raw disks, and whether Ceph can be made on them. Pure; what it needs, the collection says."""

from collections.abc import Iterator

from ansible_collections.ohmykube.cluster.plugins.module_utils import rook
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook.disks import SMALLEST

from ohmykube.errors import OhmykubeError
from ohmykube.model.document import Path
from ohmykube.model.problem import Problem
from ohmykube.model.quantity import format_bytes
from ohmykube.model.spec import Cluster, Group

WITHOUT_DISKS = frozenset({"nspawn"})  # providers whose machines cannot have raw disks
CEPH = "rook-ceph"
_CSI: Path = ("spec", "storage", "csi")


def problems(cluster: Cluster) -> Iterator[Problem]:
    """What is in the way of Ceph, where it is wanted."""
    spec = cluster.spec
    for index, host in enumerate(spec.hosts):
        if host.disks and spec.storage.csi != CEPH:
            words = f"nothing uses raw disks of {host.name}"
            yield Problem(("spec", "hosts", index, "disks"), words, f"set storage.csi: {CEPH}, or leave them out")
    if spec.storage.csi != CEPH:
        return
    if not rook.supports(spec.kubernetes_version):
        words = f"Ceph (Rook) is made for Kubernetes {rook.supported()}, and this is {spec.kubernetes_version}"
        yield Problem(("spec", "kubernetesVersion"), words, "take one of these, or storage.csi: local-path")
    if spec.network.cni == "none":
        words = "Ceph cannot start without a pod network, and network.cni is none"
        yield Problem(_CSI, words, "choose a CNI, or set storage.csi: none")
    if spec.provider in WITHOUT_DISKS:
        words = f"system containers (provider {spec.provider}) cannot have disks of their own, and Ceph needs some"
        yield Problem(_CSI, words, "use provider: lima, or storage.csi: local-path")
    elif not nodes(cluster):
        hint = "`disks: [{size: 20GiB}]` of a group gives each of its machines one"
        if spec.provider == "static":
            hint = "`disks: [/dev/sdb]` of a host names one that is empty"
        yield Problem(_CSI, "no machine has a raw disk, and Ceph needs at least one", hint)
    elif spec.provider != "static":
        yield from _sizes(cluster)


def nodes(cluster: Cluster) -> int:
    """How many machines have raw disks."""
    spec = cluster.spec
    if spec.provider == "static":
        return sum(bool(host.disks) for host in spec.hosts)
    return sum(group.count for _, group in _groups(cluster) if group.disks)


def changed(old: Cluster, new: Cluster) -> list[OhmykubeError]:
    """Changes of a cluster that is there which would cost it its data."""
    before, after = old.spec.storage.csi, new.spec.storage.csi
    if before != after and CEPH in (before, after):
        words = f"spec.storage.csi: an existing cluster cannot change from {before} to {after}"
        return [_refused(words, "take the cluster down first, or choose another --name")]
    copies = [rook.copies(nodes(cluster)) for cluster in (old, new)]
    if after != CEPH or copies[0] == copies[1]:
        return []
    words = f"{old.name} has {nodes(old)} nodes with disks for Ceph, and cannot have {nodes(new)}"
    why = f"{words}: it keeps {rook.COPIES} copies of its data on {rook.COPIES} nodes or more, and one copy on fewer"
    hint = "add a node with disks first" if copies[1] == 1 else "take the cluster down first, or choose another --name"
    return [_refused(why, hint)]


def _sizes(cluster: Cluster) -> Iterator[Problem]:
    many = nodes(cluster)
    for path, group in _groups(cluster):
        if not group.disks or not group.count:
            continue
        for index, disk in enumerate(group.disks):
            if disk.size < SMALLEST:
                words = f"{format_bytes(disk.size)} is too little: Ceph takes no disk below {format_bytes(SMALLEST)}"
                yield Problem((*path, "disks", index, "size"), words, "20GiB is a good start")
        least = rook.memory(many, len(group.disks), control_plane=path[1] == "controlPlane")
        if group.memory < least:
            words = f"{format_bytes(group.memory)} is too little: with Ceph and {len(group.disks)} raw disk"
            words += f"{'s' if len(group.disks) > 1 else ''}, each of {many} such machines needs {format_bytes(least)}"
            yield Problem((*path, "memory"), words, "give them more, or set storage.csi: local-path")


def _groups(cluster: Cluster) -> Iterator[tuple[Path, Group]]:
    yield ("spec", "controlPlane"), cluster.spec.control_plane
    yield from ((("spec", "workers", index), group) for index, group in enumerate(cluster.spec.workers))


def _refused(words: str, hint: str) -> OhmykubeError:
    return OhmykubeError("spec.fixed", words, hint=hint, context={"path": "spec.storage.csi"}, exit_code=2)
