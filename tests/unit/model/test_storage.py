"""Where Ceph can be made, and which changes would cost it its data."""

from typing import Any

import pytest
import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils import cluster_inventory, requirements

from ohmykube.errors import OhmykubeError, each
from ohmykube.model import changes, load, storage
from ohmykube.model.document import parse
from ohmykube.model.machines import Machine, SshTarget, wanted
from ohmykube.model.presets import PRESETS, Computer, sizes, spec
from ohmykube.model.spec import Cluster
from ohmykube.store.state import MachineRecord, State

VERSIONS = ("v1.30.9", "v1.36.4", "v1.37.1")
CEPH = {"csi": "rook-ceph"}
DISKS = {"memory": "6GiB", "disks": [{"size": "20GiB"}]}
HOSTS = [{"name": "cp", "address": "10.0.0.1", "role": "control-plane"}, {"name": "w1", "address": "10.0.0.2"}]


def made(**given: Any) -> Cluster:
    base = {"provider": "lima", "kubernetesVersion": "v1.36.4", "storage": CEPH}
    text = yaml.safe_dump({"spec": {**base, **given}})
    return load.build("dev", document=parse(text, "f"), defaults={}, supported_versions=VERSIONS)


def static(*disks: str, **given: Any) -> Cluster:
    hosts = [HOSTS[0], {**HOSTS[1], "disks": list(disks)}]
    return made(provider="static", hosts=hosts, network={"loadBalancer": "none"}, **given)


def workers(count: int, **values: Any) -> list[dict[str, Any]]:
    return [{"count": count, **DISKS, **values}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no machine has a raw disk"),
        ({"workers": workers(0)}, "no machine has a raw disk"),
        (
            {"workers": workers(3, memory="3GiB")},
            "3GiB is too little: with Ceph and 1 raw disk, each of 3 such",
        ),
        ({"workers": workers(2, memory="4GiB")}, "needs 6GiB"),
        (
            {"workers": workers(3, memory="4GiB", disks=[{"size": "9GiB"}] * 2)},
            "and 2 raw disks, .* needs 5.5GiB|5632MiB",
        ),
        ({"workers": [], "controlPlane": DISKS}, "needs 8GiB"),
        ({"workers": workers(3, disks=[{"size": "4GiB"}])}, "Ceph takes no disk below 5GiB"),
        ({"workers": workers(3), "kubernetesVersion": "v1.37.1"}, "Kubernetes v1.31 to v1.36, and this is v1.37.1"),
        ({"workers": workers(3), "provider": "nspawn"}, "cannot have disks of their own"),
        ({"workers": workers(3), "network": {"cni": "none", "loadBalancer": "none"}}, "without a pod network"),
    ],
)
def test_where_it_cannot_be_made_that_is_said_before_anything_is(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OhmykubeError, match=words) as caught:
        made(**given)
    assert each(caught.value)[0].hint


def test_hosts_name_their_disks() -> None:
    assert storage.nodes(static("/dev/sdb")) == 1
    with pytest.raises(OhmykubeError, match="no machine has a raw disk") as caught:
        static()
    assert "disks: [/dev/sdb]" in caught.value.hint
    with pytest.raises(OhmykubeError, match="nothing uses raw disks of w1"):
        static("/dev/sdb", storage={"csi": "local-path"})
    with pytest.raises(OhmykubeError, match="disks"):
        static("sdb")


def test_without_ceph_disks_are_nobodys_affair() -> None:
    assert made(storage={"csi": "none"}, workers=workers(1, memory="1GiB"), provider="nspawn").spec.workers[0].disks


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (made(workers=workers(3)), made(workers=workers(2)), "has 3 nodes with disks for Ceph, and cannot have 2"),
        (made(workers=workers(1)), made(workers=workers(3)), "has 1 nodes with disks for Ceph, and cannot have 3"),
        (made(workers=workers(3)), made(workers=workers(3), storage={"csi": "none"}), "from rook-ceph to none"),
        (made(workers=workers(3), storage={"csi": "local-path"}), made(workers=workers(3)), "local-path to rook-ceph"),
        (made(workers=workers(3)), made(workers=workers(4)), ""),
        (made(workers=workers(1)), made(workers=workers(2)), ""),
        (static("/dev/sdb"), static("/dev/sdb", "/dev/sdc"), ""),
    ],
)
def test_changes_that_would_cost_data_are_refused(before: Cluster, after: Cluster, words: str) -> None:
    if not words:
        changes.refuse(before, after)
        return
    with pytest.raises(OhmykubeError, match=words):
        changes.refuse(before, after)


def test_the_preset_is_large_enough() -> None:
    for workers_ in (1, 3):
        preset = PRESETS["storage"].__class__("some", "", 1, workers_, raw=20 * 2**30)
        cluster = made(**spec(preset, sizes(preset, Computer(8, 64 * 2**30))))
        assert (cluster.spec.storage.csi, storage.nodes(cluster)) == ("rook-ceph", workers_)


def variables(cluster: Cluster, tmp_path: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a worker with a disk, and of all."""
    records = []
    for number, machine in enumerate(wanted(cluster), 1):
        ssh = SshTarget(f"10.1.0.{number}", "root", tmp_path / "id", tmp_path / "known")
        seen = Machine(machine.name, "running", f"10.1.0.{number}", ssh=ssh)
        records.append(MachineRecord(machine.name, machine.role, machine.group, seen, {}))
    inventory = cluster_inventory.build(cluster.as_data(), State("dev", "x", tuple(records), "", ()).as_data())
    (host,) = [dict(each_host) for each_host in inventory.hosts.values() if "rook_ceph_disks" in each_host]
    return host, dict(inventory.variables)


def test_machines_are_told_which_disks_are_cephs(tmp_path: Any) -> None:
    groups = [{"name": "plain", "count": 1}, {"name": "data", "count": 1, "memory": "8GiB", "disks": [{"size": 9}] * 2}]
    host, everywhere = variables(made(workers=groups), tmp_path)
    assert (host["rook_ceph_disks"], host["rook_ceph_memory"]) == (["/dev/vdb", "/dev/vdc"], 15 * 2**29)
    assert (everywhere["cluster_csi"], everywhere["node_kernel_modules"]) == ("rook-ceph", ["rbd", "ceph"])
    host, _ = variables(static("/dev/disk/by-id/wwn-1"), tmp_path)
    assert (host["rook_ceph_disks"], host["rook_ceph_memory"]) == (["/dev/disk/by-id/wwn-1"], 6 * 2**30)


def test_its_manifests_are_fetched_beforehand() -> None:
    wish = made(workers=workers(3), vars={"rook_ceph_version": "v1.20.6"}).as_data()["spec"]
    parts = [part for part in requirements.manifests(wish) if part["component"].startswith("rook")]
    assert [part["component"] for part in parts] == ["rook_crds", "rook_common", "rook_csi_operator", "rook_operator"]
    assert {part["version"] for part in parts} == {"v1.20.6"}
