"""Ceph as objects: two layouts, and each object as upstream's CRDs want it."""

import hashlib
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import memory, objects, supports, upstream

from tests.unit.rook import upstream as known

IMAGE = "quay.io/ceph/ceph:v20.2.4"
GIB = 2**30


def made(nodes: int, disks: int = 1) -> list[dict[str, Any]]:
    devices = {f"n{number}": [f"/dev/vd{letter}" for letter in "bcd"[:disks]] for number in range(nodes)}
    text = objects.cluster({**devices, "bare": []}, image=IMAGE, taints=["only"], default_class=True)
    return list(yaml.safe_load_all(text))


def one(items: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [item for item in items if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


def pools(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    files, buckets = one(items, "CephFilesystem", "ceph-filesystem"), one(items, "CephObjectStore", "ceph-bucket")
    return [
        *(item["spec"] for item in items if item["kind"] == "CephBlockPool"),
        files["spec"]["metadataPool"],
        *files["spec"]["dataPools"],
        buckets["spec"]["metadataPool"],
        buckets["spec"]["dataPool"],
    ]


@pytest.mark.parametrize(("nodes", "mons", "size", "domain"), [(1, 1, 1, "osd"), (2, 1, 1, "osd"), (3, 3, 3, "host")])
def test_as_many_copies_as_nodes_can_hold(nodes: int, mons: int, size: int, domain: str) -> None:
    items = made(nodes)
    spec = one(items, "CephCluster", "rook-ceph")["spec"]
    assert spec["mon"] == {"count": mons, "allowMultiplePerNode": False}
    assert {(pool["replicated"]["size"], pool["failureDomain"]) for pool in pools(items)} == {(size, domain)}
    assert [pool.get("name") for pool in pools(items)].count(".mgr") == (mons == 1)
    assert ("osd_pool_default_size" in spec["cephConfig"]["global"]) == (mons == 1)


def test_nothing_but_the_named_disks_is_taken() -> None:
    spec = one(made(2, disks=2), "CephCluster", "rook-ceph")["spec"]
    devices = [{"name": "/dev/vdb"}, {"name": "/dev/vdc"}]
    nodes = [{"name": "n0", "devices": devices}, {"name": "n1", "devices": devices}]
    assert spec["storage"] == {"useAllNodes": False, "useAllDevices": False, "nodes": nodes}
    with pytest.raises(OhmykubeError) as caught:
        objects.cluster({"n0": []}, image=IMAGE, taints=[], default_class=True)
    assert caught.value.code == "ceph.no-disks"


def test_daemons_run_where_the_memory_is_known_to_be_and_tolerate_what_these_nodes_have() -> None:
    items = made(3)
    placements = [
        one(items, "CephCluster", "rook-ceph")["spec"]["placement"]["all"],
        one(items, "CephFilesystem", "ceph-filesystem")["spec"]["metadataServer"]["placement"],
        one(items, "CephObjectStore", "ceph-bucket")["spec"]["gateway"]["placement"],
    ]
    for placement in placements:
        required = placement["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = required["nodeSelectorTerms"]
        assert term["matchExpressions"][0]["values"] == ["n0", "n1", "n2"]
        keys = [each["key"] for each in placement["tolerations"]]
        assert keys == ["node-role.kubernetes.io/control-plane", "only"]


def test_classes_for_volumes_files_and_buckets() -> None:
    classes = {item["metadata"]["name"]: item for item in made(1) if item["kind"] == "StorageClass"}
    defaults = {
        name: item["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"]
        for name, item in classes.items()
    }
    assert defaults == {"ceph-block": "true", "ceph-filesystem": "false", "ceph-bucket": "false"}
    assert classes["ceph-block"]["parameters"]["pool"] == "ceph-block"
    assert classes["ceph-filesystem"]["parameters"]["pool"] == "ceph-filesystem-data0"


def test_what_a_node_must_have() -> None:
    assert memory(3, 1, control_plane=False) == 4 * GIB
    assert memory(1, 1, control_plane=False) == 6 * GIB
    assert memory(1, 3, control_plane=True) == 11 * GIB
    assert [supports(version) for version in ("v1.30.9", "v1.31.0", "v1.36.4", "v1.37.1")] == [False, True, True, False]


@known.needed
@pytest.mark.parametrize("nodes", [1, 3])
def test_each_object_is_one_that_the_crds_take(nodes: int) -> None:
    crds = {
        item["spec"]["names"]["kind"]: item["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for item in known.documents(known.file("crds").read_text())
    }
    seen = set()
    for item in made(nodes, disks=2):
        if item["kind"] in crds:
            schema = known.strict(crds[item["kind"]]["properties"]["spec"])
            problems = [
                f"{item['kind']} {'.'.join(map(str, error.path))}: {error.message}"
                for error in jsonschema.Draft7Validator(schema).iter_errors(item["spec"])
            ]
            assert problems == []
            seen.add(item["kind"])
    assert len(seen) == 5


@known.needed
def test_a_field_that_the_crds_do_not_know_is_seen() -> None:
    (crd,) = [
        item
        for item in known.documents(known.file("crds").read_text())
        if item["spec"]["names"]["kind"] == "CephCluster"
    ]
    schema = known.strict(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    for wrong in ({"mon": {"cuont": 3}}, {"security": {"cephx": {"csi": {"keyType": "des"}}}}):
        assert not jsonschema.Draft7Validator(schema).is_valid(wrong)


@known.needed
@pytest.mark.parametrize("name", known.FILES)
def test_the_catalogue_pins_these_very_files(name: str) -> None:
    pinned = Catalogue.load().artifact(f"rook_{name.replace('-', '_')}", "any").sha256
    assert hashlib.sha256(known.file(name).read_bytes()).hexdigest() == pinned


@known.needed
def test_images_are_those_that_the_manifests_name() -> None:
    told = {image.split("@")[0] for image in Catalogue.load().artifact("rook_operator", "any").images}
    assert IMAGE in told
    others, named = told - {IMAGE}, "".join(known.texts())
    assert [image for image in others if image not in named] == []


@known.needed
def test_of_upstreams_manifests_only_what_this_cluster_needs_is_changed() -> None:
    before = {key(item): item for item in known.documents(*known.texts())}
    after = {key(item): item for item in known.documents(upstream.upstream(known.texts(), taints=["only"], replicas=2))}
    assert list(after) == sorted(before, key=lambda name: name[0] != "CustomResourceDefinition")
    assert sorted(name[0] for name in after if after[name] != before[name]) == [
        "Deployment",
        "Deployment",
        "Namespace",
        "OperatorConfig",
    ]
    drivers = after["OperatorConfig", "ceph-csi-operator-config"]["spec"]["driverSpecDefaults"]
    tolerated = [{"key": "only", "operator": "Exists"}]
    assert (drivers["controllerPlugin"]["replicas"], drivers["nodePlugin"]["tolerations"]) == (2, tolerated)
    (crd,) = [
        item
        for item in known.documents(known.file("csi-operator").read_text())
        if (item["kind"], item["metadata"]["name"]) == ("CustomResourceDefinition", "operatorconfigs.csi.ceph.io")
    ]
    schema = known.strict(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    assert not list(jsonschema.Draft7Validator(schema).iter_errors({"driverSpecDefaults": drivers}))


def test_other_manifests_are_refused() -> None:
    with pytest.raises(OhmykubeError, match=r"not built as expected: .*Deployment"):
        upstream.upstream(["kind: Namespace\nmetadata: {name: x}\n"], taints=[], replicas=1)


def key(item: dict[str, Any]) -> tuple[str, str]:
    return item["kind"], f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}".removeprefix(
        "rook-ceph/"
    ).removeprefix("/")
