"""The order of a reset, what it leaves alone, and that it says beforehand what it will do."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import leftovers
from ansible_collections.ohmykube.cluster.plugins.module_utils.rook import disks
from ansible_collections.ohmykube.cluster.plugins.module_utils.service import Record

from tests.unit.node.machine import Machine, Unit

VOLUMES = "/opt/local-path-provisioner"


class NoTables:
    def tables(self) -> list[tuple[str, str]]:
        return []

    empty = tables

    def delete(self, table: tuple[str, str]) -> None:
        raise AssertionError(table)

    discard = delete


class Node(Machine):
    """A machine on which systemctl stop stops, and kubeadm says what it is told to."""

    kubeadm = Completed(0)

    def _run(self, argv: Sequence[str], timeout: float) -> Completed:
        if "kubeadm" in argv:
            self.calls.append(" ".join(argv[2:4]))
            return self.kubeadm
        if argv[:2] == ["systemctl", "stop"]:
            for unit in argv[2:]:
                self.units.setdefault(unit, Unit()).active = "inactive"
        if argv[0].endswith("-save"):
            return Completed(127)
        return super()._run(argv, timeout)

    def record(self, name: str) -> None:
        Record(units=(f"{name}.service",)).write(self.host, name)
        self.units[f"{name}.service"] = Unit("enabled", "active")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path / "root")
    made.write("/proc/self/mountinfo", "1 2 0:1 / / rw - ext4 x rw")
    return made


def full(node: Node) -> None:
    node.record("kubelet")
    node.record("containerd")
    for path in (
        "/var/lib/ohmykube/initialised",
        "/var/lib/ohmykube/kubectl/discovery",
        "/etc/kubernetes/kubelet.conf",
        "/etc/kubernetes/manifests/etcd.yaml",
        "/etc/cni/net.d/10-flannel.conflist",
        "/etc/cni/net.d/.10-flannel.conflist.tmp42",
        "/etc/cni/net.d/05-cilium.conflist",
        "/etc/sysctl.d/99-zzz-override_cilium.conf",
        "/opt/cni/bin/cilium-cni",
        "/opt/cni/bin/flannel",
        "/run/cilium/state/x",
        "/sys/fs/bpf/cilium/devices/eth0/links/x",
        "/opt/containerd/bin/x",
        "/run/flannel/subnet.env",
        "/run/containerd/containerd.sock",
        "/run/xtables.lock",
        "/usr/libexec/kubernetes/plugins/x",
        "/var/lib/cni/networks/cbr0/lock",
        "/var/lib/cni/results/cbr0-1-eth0",
        "/var/lib/cni/results/cni-loopback-1-lo",
        "/var/lib/containerd/x",
        "/var/lib/etcd/member/x",
        "/var/lib/kubelet/config.yaml",
        "/var/log/pods/one/0.log",
        f"{VOLUMES}/pvc-1/data",
    ):
        node.write(path, "")


def clear(node: Node, *, dry_run: bool = False) -> list[str]:
    return [change.what for change in changes(node, dry_run=dry_run)]


def changes(node: Node, *, dry_run: bool = False) -> list[Change]:
    node.calls.clear()
    return leftovers.clear(node.host, NoTables(), [VOLUMES], dry_run=dry_run)


def files(node: Node) -> list[str]:
    return sorted(str(path.relative_to(node.root)) for path in node.root.rglob("*") if path.is_file())


def test_a_node_is_taken_apart_in_order(node: Node) -> None:
    full(node)
    (node.root / "opt/cni/bin").mkdir(exist_ok=True)
    node.kubeadm = Completed(1, stderr="half of it is gone")
    assert clear(node) == [
        "control plane forgotten",
        "kubelet stopped",
        "kubeadm reset",
        "containerd stopped",
        "files removed",
        "folders removed",
        "empty folders removed",
    ]
    assert files(node) == [
        "proc/self/mountinfo",
        "var/lib/ohmykube/services/containerd.json",
        "var/lib/ohmykube/services/kubelet.json",
    ]
    assert clear(node) == []


def test_disks_of_ceph_are_emptied_before_it_is_forgotten_which_ones_they_were(node: Node) -> None:
    full(node)
    node.write("/sys/bus/rbd/devices/0/pool", "ceph-block\n")
    node.write("/sys/bus/rbd/remove", "")
    node.write("/sys/class/block/vdb/size", "20480")
    node.write("/dev/vdb", "bluestore block device\n" + "x" * 20480 * 512)
    node.write(disks.RECORD, json.dumps([{"path": "/dev/vdb", "size": 20480 * 512, "identity": ""}]))
    node.write("/var/lib/rook/mon-a/data", "")
    told = [change.what for change in changes(node, dry_run=True)]
    order = [
        "volumes of Ceph let go",
        "kubeadm reset",
        "Ceph's disks emptied",
        "folders removed",
        "Ceph's disks forgotten",
    ]
    assert [what for what in told if what in order] == order
    (node.root / "sys/bus/rbd/devices/0/pool").write_text("")  # the kernel has removed it
    clear(node)
    assert not node.exists("/var/lib/rook")
    assert not node.exists(disks.RECORD)
    assert node.read("/dev/vdb")[:22] == "\0" * 22


def test_a_ceph_of_somebody_else_stays(node: Node) -> None:
    full(node)
    node.write("/var/lib/rook/mon-a/data", "")
    clear(node)
    assert node.exists("/var/lib/rook/mon-a/data")


def test_looking_changes_nothing_and_tells_the_same(node: Node) -> None:
    full(node)
    before = files(node)
    planned = changes(node, dry_run=True)
    assert files(node) == before
    assert node.calls == []
    told = {change.what: change.before for change in planned}
    assert told["kubelet stopped"] == "kubelet.service active\n"
    assert f"{VOLUMES}\n" in told["folders removed"]
    done = [change.what for change in changes(node)]
    # What is empty only afterwards is not announced.
    assert [what for what in done if what != "empty folders removed"] == list(told)


def test_a_kubernetes_of_somebody_else_is_left_alone(node: Node) -> None:
    full(node)
    for name in ("kubelet", "containerd"):
        (node.root / f"var/lib/ohmykube/services/{name}.json").unlink()
    before = files(node)
    assert clear(node) == []
    assert files(node) == before


def test_a_containerd_of_somebody_else_keeps_its_data(node: Node) -> None:
    full(node)
    (node.root / "var/lib/ohmykube/services/containerd.json").unlink()
    assert "containerd stopped" not in clear(node)
    assert node.exists("/var/lib/containerd/x")
    assert node.exists("/run/containerd/containerd.sock")
    assert not node.exists("/var/lib/kubelet")


def test_containerd_alone(node: Node) -> None:
    """The role containerd in somebody's own play, without Kubernetes."""
    full(node)
    (node.root / "var/lib/ohmykube/services/kubelet.json").unlink()
    assert clear(node) == ["containerd stopped", "folders removed"]
    assert not node.exists("/var/lib/containerd")
    assert node.exists("/etc/kubernetes/kubelet.conf")


def test_iptables_lock_stays_where_tables_are_that_it_is_for(node: Node) -> None:
    full(node)
    node.write("/proc/net/ip_tables_names", "nat\n")
    clear(node)
    assert node.exists("/run/xtables.lock")


def test_what_stays_in_spite_of_all_is_an_error(node: Node) -> None:
    full(node)

    def deaf(argv: Sequence[str], timeout: float) -> Completed:
        return Completed(0) if argv[:2] == ["systemctl", "stop"] else node._run(argv, timeout)

    host = Host(node.root, deaf)
    with pytest.raises(OhmykubeError, match=r"kubelet stopped: it is still there: kubelet\.service active") as caught:
        leftovers.clear(host, NoTables(), [], dry_run=False)
    assert caught.value.code == "reset.incomplete"
    assert not node.exists("/var/lib/ohmykube/initialised")
    assert node.exists("/var/lib/kubelet/config.yaml")
