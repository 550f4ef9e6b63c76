"""What of Ceph is waited for, and that nothing of the trial stays."""

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import health
from ansible_collections.ohmykube.cluster.plugins.modules import ceph_ready

from tests.unit.kubeadm.node import Node

OPTIONS = {"disks": 1, "classes": ["ceph-block", "ceph-bucket"], "timeout": 1}


def part(kind: str = "CephCluster", phase: str = "Ready", **status: Any) -> dict[str, Any]:
    metadata = {"name": "rook-ceph", "namespace": "rook-ceph", "generation": 2}
    return {"kind": kind, "metadata": metadata, "status": {"phase": phase, "observedGeneration": 2, **status}}


def items(*found: dict[str, Any]) -> str:
    return json.dumps({"items": list(found)})


WELL = part(ceph={"health": "HEALTH_OK"})
OSD = {"kind": "Deployment", "metadata": {"name": "rook-ceph-osd-0", "namespace": "rook-ceph"}, "spec": {}}


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(kubectl, "POLL", 0.01)
    made = Node(tmp_path)
    made.on("deployments", say=items(OSD)).on("deployments,daemonsets", say=items(OSD))
    made.on(health._PARTS, say=items(WELL, part("CephBlockPool")))
    classes = {"ceph-block": "rook-ceph.rbd.csi.ceph.com", "ceph-bucket": "rook-ceph.ceph.rook.io/bucket"}
    found = [{"metadata": {"name": name}, "provisioner": driver} for name, driver in classes.items()]
    return made.on("storageclasses", say=items(*found))


def claim(kind: str, phase: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x"}, "spec": {"storageClassName": "x"}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("found", "osds", "words"),
    [
        ([], 1, "there is no CephCluster"),
        ([part(phase="Progressing", message="Configuring Ceph Mons", ceph={"health": "HEALTH_OK"})], 1, "Ceph Mons"),
        ([part()], 1, "CephCluster rook-ceph is of unknown health"),
        ([part(ceph={"health": "HEALTH_OK"}, observedGeneration=1)], 1, "Rook has not done yet what was asked of it"),
        ([WELL, part("CephObjectStore", phase="")], 1, "CephObjectStore rook-ceph is not begun"),
        ([WELL], 0, "Ceph uses 0 of 1 disks"),
    ],
)
def test_what_is_missing_is_named(found: list[dict[str, Any]], osds: int, words: str) -> None:
    (line,) = health.missing(found, [OSD] * osds, 1)
    assert words in line


def test_cephs_own_words_are_told() -> None:
    details = {"MON_DISK_LOW": {"severity": "HEALTH_WARN", "message": "mon a is low on available space"}}
    lines = health.missing([part(ceph={"health": "HEALTH_WARN", "details": details})], [OSD], 1)
    assert list(lines) == [
        "CephCluster rook-ceph is HEALTH_WARN: MON_DISK_LOW: mon a is low on available space",
    ]


def test_a_volume_and_a_bucket_are_made_and_go_again(node: Node) -> None:
    applied = []

    def apply(call: list[str]) -> str:
        path = next(word for word in call if word.startswith("--filename=")).removeprefix("--filename=")
        applied.extend(json.loads(Path(path).read_text())["items"])
        return ""

    node.on("apply", say=apply)
    bound = claim("PersistentVolumeClaim", "Bound"), claim("ObjectBucketClaim", "Bound")
    node.on("get", "persistentvolumeclaims,objectbucketclaims", say=items(*bound))
    assert ceph_ready.run(OPTIONS, node.host, check_mode=False) == {"changed": False}
    assert [(item["kind"], item["spec"]["storageClassName"]) for item in applied] == [
        ("PersistentVolumeClaim", "ceph-block"),
        ("ObjectBucketClaim", "ceph-bucket"),
    ]
    assert "delete" in node.calls[-1]


def test_nothing_stays_where_no_volume_is_made(node: Node) -> None:
    pending = claim("PersistentVolumeClaim", "Pending")
    node.on("get", "persistentvolumeclaims,objectbucketclaims", say=items(pending))
    with pytest.raises(OhmykubeError, match="PersistentVolumeClaim of the class x is Pending"):
        health.try_out(Kubectl(node.host), ["ceph-block"], timeout=0.05)
    assert "delete" in node.calls[-1]


def test_in_check_mode_nobody_is_asked(node: Node) -> None:
    assert ceph_ready.run(OPTIONS, node.host, check_mode=True) == {"changed": False}
    assert node.calls == []
