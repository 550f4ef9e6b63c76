# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The cluster of Ceph, its pools and its storage classes, as objects. Pure; runs on the controller.

Requests are what little pods ask for, so that they fit on small machines; limits are what Ceph is held to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.manifests import DEFAULT_CLASS
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import (
    BLOCK,
    BUCKET_DRIVER,
    BUCKETS,
    DATA,
    FILES,
    NAMESPACE,
    copies,
)

Object = dict[str, Any]

_BLOCK_DRIVER = f"{NAMESPACE}.rbd.csi.ceph.com"
_FILES_DRIVER = f"{NAMESPACE}.cephfs.csi.ceph.com"
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"  # one may have disks for Ceph, and is tainted
_OSD_MEMORY = 2**30  # bytes that an OSD aims at; upstream's 4 GiB are more than such a machine has
_RESOURCES = {  # request of CPU, request and limit of memory
    "mon": ("100m", "256Mi", "1Gi"),
    "mgr": ("100m", "512Mi", "1Gi"),
    "osd": ("100m", "1Gi", "2Gi"),
    "mds": ("50m", "128Mi", "1Gi"),
    "rgw": ("50m", "128Mi", "1Gi"),
}
# Keys of the kind aes are what kernels before 7.0 know, and Ceph 20 warns of all of them as long as any are in use.
_KEY_WARNINGS = (
    "AUTH_INSECURE_CLIENT_KEY_TYPE",
    "AUTH_INSECURE_KEYS_ALLOWED",
    "AUTH_INSECURE_KEYS_CREATABLE",
    "AUTH_INSECURE_ROTATING_SERVICE_KEY_TYPE",
)


def cluster(devices: Mapping[str, Sequence[str]], *, image: str, taints: Sequence[str], default_class: bool) -> str:
    """All objects, as YAML. devices: node → paths of its raw disks. image: of Ceph.

    taints: keys that storage nodes may have. default_class: whether the block class serves claims that name none.
    Raises OhmykubeError `ceph.no-disks`.
    """
    used = {node: list(paths) for node, paths in sorted(devices.items()) if paths}
    if not used:
        raise OhmykubeError(
            "ceph.no-disks",
            "no node has a raw disk that Ceph could use",
            hint="give a group `disks: [{size: 20GiB}]`, or a host of your own `disks: [/dev/sdb]`",
        )
    number = copies(len(used))
    placement = _placement(list(used), taints)
    group = {"name": "csi", "filesystemName": FILES, "pinning": {"distributed": 1}}
    items = [
        _ceph_cluster(used, number, image, placement),
        *([] if number > 1 else [_ceph("CephBlockPool", "builtin-mgr", {"name": ".mgr", **_pool(1)})]),
        _ceph("CephBlockPool", BLOCK, _pool(number)),
        _ceph("CephFilesystem", FILES, _filesystem(number, placement)),
        _ceph("CephFilesystemSubVolumeGroup", f"{FILES}-csi", group),
        _ceph("CephObjectStore", BUCKETS, _object_store(number, placement)),
        *_classes(default_class),
    ]
    return kube_yaml.manifest(items)


def _ceph_cluster(used: Mapping[str, list[str]], number: int, image: str, placement: Object) -> Object:
    one_copy = {"osd_pool_default_size": "1", "mon_warn_on_pool_no_redundancy": "false"}
    spec = {
        "cephVersion": {"image": image},
        "dataDirHostPath": DATA,
        "security": {"cephx": {"csi": {"keyType": "aes"}}},
        "mon": {"count": number, "allowMultiplePerNode": False},
        "mgr": {"count": 1, "allowMultiplePerNode": False},
        "dashboard": {"enabled": True, "ssl": True},
        "monitoring": {"metricsDisabled": True},
        "crashCollector": {"disable": True},
        "removeOSDsIfOutAndSafeToRemove": True,  # of nodes that are gone
        "logCollector": {"enabled": False},
        "disruptionManagement": {"managePodBudgets": True},
        "placement": {"all": placement},
        "priorityClassNames": {
            "mon": "system-node-critical",
            "osd": "system-node-critical",
            "mgr": "system-cluster-critical",
        },
        "resources": {name: _resources(name) for name in ("mon", "mgr", "osd")},
        "cephConfig": {
            # Machines are small, and images take much of their disks: upstream's warning at 30 % would never end.
            "global": {"mon_data_avail_warn": "10", **(one_copy if number == 1 else {})},
            "osd": {"osd_memory_target": str(_OSD_MEMORY)},
        },
        "healthCheck": {
            "daemonHealth": {"status": {"interval": "10s"}},
            "muteHealthWarning": {warning: {"policy": "mute"} for warning in _KEY_WARNINGS},
        },
        "storage": {
            "useAllNodes": False,
            "useAllDevices": False,
            "nodes": [{"name": node, "devices": [{"name": path} for path in paths]} for node, paths in used.items()],
        },
    }
    return _ceph("CephCluster", NAMESPACE, spec)


def _pool(number: int) -> Object:
    """Each copy on another node, or a single one on any disk."""
    if number == 1:
        return {"failureDomain": "osd", "replicated": {"size": 1, "requireSafeReplicaSize": False}}
    return {"failureDomain": "host", "replicated": {"size": number}}


def _filesystem(number: int, placement: Object) -> Object:
    server = {"activeCount": 1, "activeStandby": False, "placement": placement, "resources": _resources("mds")}
    return {
        "metadataPool": _pool(number),
        "dataPools": [{"name": "data0", **_pool(number)}],
        "metadataServer": {**server, "priorityClassName": "system-cluster-critical"},
    }


def _object_store(number: int, placement: Object) -> Object:
    gateway = {"port": 80, "instances": 1, "placement": placement, "resources": _resources("rgw")}
    return {
        "metadataPool": _pool(number),
        "dataPool": _pool(number),
        "gateway": {**gateway, "priorityClassName": "system-cluster-critical"},
    }


def _classes(default_class: bool) -> list[Object]:
    return [
        _class(
            BLOCK,
            _BLOCK_DRIVER,
            {
                "clusterID": NAMESPACE,
                "pool": BLOCK,
                "imageFormat": "2",
                "imageFeatures": "layering",
                **_secrets("rbd"),
                "csi.storage.k8s.io/fstype": "ext4",
            },
            default=default_class,
        ),
        _class(
            FILES,
            _FILES_DRIVER,
            {"clusterID": NAMESPACE, "fsName": FILES, "pool": f"{FILES}-data0", **_secrets("cephfs")},
        ),
        _class(BUCKETS, BUCKET_DRIVER, {"objectStoreName": BUCKETS, "objectStoreNamespace": NAMESPACE}),
    ]


def _class(name: str, driver: str, parameters: Mapping[str, str], *, default: bool = False) -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {DEFAULT_CLASS: str(default).lower()}},
        "provisioner": driver,
        "parameters": dict(parameters),
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": driver != BUCKET_DRIVER,
    }


def _secrets(driver: str) -> dict[str, str]:
    """By which names drivers find their keys, which Rook makes."""
    users = {
        "provisioner": "provisioner",
        "controller-expand": "provisioner",
        "controller-publish": "provisioner",
        "node-stage": "node",
    }
    found = {}
    for step, user in users.items():
        found[f"csi.storage.k8s.io/{step}-secret-name"] = f"rook-csi-{driver}-{user}"
        found[f"csi.storage.k8s.io/{step}-secret-namespace"] = NAMESPACE
    return found


def _placement(nodes: Sequence[str], taints: Sequence[str]) -> Object:
    """On nodes with disks alone: that they have the memory is known of these."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}]}
    required = {"nodeSelectorTerms": [term]}
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required},
        "tolerations": tolerations([_CONTROL_PLANE, *taints]),
    }


def tolerations(taints: Sequence[str]) -> list[Object]:
    return [{"key": key, "operator": "Exists"} for key in sorted(set(taints))]


def _resources(name: str) -> Object:
    cpu, memory, limit = _RESOURCES[name]
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}


def _ceph(kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "ceph.rook.io/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}
