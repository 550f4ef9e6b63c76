# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Is Ceph well, and does it make volumes? Asked of the API server, to which Rook tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import readiness
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently, until, with_file
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import BUCKET_DRIVER, NAMESPACE

Item = Mapping[str, Any]

_HERE = f"--namespace={NAMESPACE}"
_PARTS = "cephclusters,cephblockpools,cephfilesystems,cephobjectstores"
_TRIAL = "ohmykube-trial"  # claims of each class: they are made, bound and gone again
_DELETE_TIMEOUT = 90  # seconds


def wait(kubectl: Kubectl, *, disks: int, timeout: float) -> None:
    """Return when Ceph says HEALTH_OK. disks: how many it shall use. timeout: seconds."""

    def look() -> Iterator[str]:
        osds = kubectl.items("deployments", _HERE, "--selector=app=rook-ceph-osd")
        yield from missing(kubectl.items(_PARTS, _HERE), osds, disks)
        yield from readiness.missing_workloads(kubectl.items("deployments,daemonsets", _HERE))

    _until(kubectl, look, timeout, "Ceph is not well")


def missing(parts: Sequence[Item], osds: Sequence[Item], disks: int) -> Iterator[str]:
    """What is not as it should be, a line each. osds: deployments, one for each disk that Ceph uses."""
    for item in parts:
        status = item.get("status") or {}
        name = f"{item['kind']} {item['metadata']['name']}"
        if status.get("phase") != "Ready":
            yield f"{name} is {status.get('phase') or 'not begun'}: {status.get('message') or 'no word of why'}"
        if item["kind"] == "CephCluster":
            yield from _ill(name, item, status.get("ceph") or {})
    if not any(item["kind"] == "CephCluster" for item in parts):
        yield "there is no CephCluster"
    if len(osds) < disks:
        yield f"Ceph uses {len(osds)} of {disks} disks: the log of the jobs rook-ceph-osd-prepare says why"


def try_out(kubectl: Kubectl, classes: Sequence[str], *, timeout: float) -> None:
    """Have a claim of each class bound. Nothing stays."""
    _clear(kubectl)
    found = {item["metadata"]["name"]: item["provisioner"] for item in kubectl.items("storageclasses")}
    items = [claim(name, bucket=found.get(name) == BUCKET_DRIVER) for name in classes]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    try:
        apply = ("apply", "--server-side", "--validate=ignore")
        with_file(text, lambda path: patiently(lambda: kubectl.text(*apply, f"--filename={path}"), timeout=timeout))
        _until(kubectl, lambda: _unbound(_claims(kubectl)), timeout, "Ceph makes no volumes")
    finally:
        _clear(kubectl)


def _ill(name: str, item: Item, ceph: Mapping[str, Any]) -> Iterator[str]:
    if item["status"].get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        yield f"{name}: Rook has not done yet what was asked of it"
    if ceph.get("health") != "HEALTH_OK":
        details = (ceph.get("details") or {}).items()
        told = "; ".join(f"{code}: {detail.get('message', '')}" for code, detail in details)
        yield f"{name} is {ceph.get('health') or 'of unknown health'}{': ' if told else ''}{told}"


def _unbound(claims: Sequence[Item]) -> Iterator[str]:
    for item in claims:
        phase = (item.get("status") or {}).get("phase") or "not seen by anybody yet"
        if phase != "Bound":
            yield f"{item['kind']} of the class {item['spec']['storageClassName']} is {phase}"


def claim(name: str, *, bucket: bool) -> dict[str, Any]:
    """Of a volume of the class `name`, or of a bucket."""
    metadata = {"name": f"{_TRIAL}-{name}", "namespace": NAMESPACE, "labels": {"app": _TRIAL}}
    if bucket:
        kind = {"apiVersion": "objectbucket.io/v1alpha1", "kind": "ObjectBucketClaim"}
        return {**kind, "metadata": metadata, "spec": {"generateBucketName": _TRIAL, "storageClassName": name}}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    size = {"requests": {"storage": "64Mi"}}
    spec = {"storageClassName": name, "accessModes": ["ReadWriteOnce"], "resources": size}
    return {**kind, "metadata": metadata, "spec": spec}


def _claims(kubectl: Kubectl) -> list[dict[str, Any]]:
    return kubectl.items("persistentvolumeclaims,objectbucketclaims", _HERE, f"--selector=app={_TRIAL}")


def _clear(kubectl: Kubectl) -> None:
    words = ("delete", "persistentvolumeclaims,objectbucketclaims", _HERE, f"--selector=app={_TRIAL}")
    kubectl.text(*words, "--ignore-not-found", f"--timeout={_DELETE_TIMEOUT}s", timeout=_DELETE_TIMEOUT + 10)


def _until(kubectl: Kubectl, look: Callable[[], Iterable[str]], timeout: float, what: str) -> None:
    until(look, timeout=timeout, what=what, explain=lambda: readiness.explain(kubectl))
