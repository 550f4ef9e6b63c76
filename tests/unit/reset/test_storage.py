"""Mounts, files and folders: nothing is removed through a mount."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import network, storage

KUBELET = "/var/lib/kubelet"
VOLUME = f"{KUBELET}/pods/1/volumes/my disk"
NETNS = "/run/netns/cni-1"


class Disks:
    """A machine whose mounts are lines of /proc/self/mountinfo; umount removes them unless they are stuck."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.points: dict[str, str] = {}  # point → root
        self.stuck = False
        self.calls: list[list[str]] = []

    @property
    def host(self) -> Host:
        return Host(self.root, self._run)

    def mount(self, point: str, root: str = "/") -> None:
        self.points[point] = root
        (self.root / point.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._write()

    def write(self, path: str, text: str = "") -> Path:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def process(self, pid: int, net: str) -> None:
        folder = self.root / "proc" / str(pid) / "ns"
        folder.mkdir(parents=True)
        (folder / "net").symlink_to(net)

    def _write(self) -> None:
        escaped = {point.replace(" ", r"\040"): root for point, root in self.points.items()}
        lines = [f"1 2 0:1 {root} {point} rw - tmpfs x rw" for point, root in escaped.items()]
        self.write("/proc/self/mountinfo", "\n".join(lines))

    def _run(self, argv: Sequence[str], timeout: float) -> Completed:
        self.calls.append(list(argv))
        if argv[0] == "umount" and not self.stuck:
            for point in argv[3:]:
                del self.points[point]
            self._write()
        return Completed(0)


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    made = Disks(tmp_path)
    made.mount("/")
    return made


def test_the_deepest_go_first_and_others_stay(disks: Disks) -> None:
    for point in (KUBELET, f"{KUBELET}/pods/1", VOLUME, "/var/lib/kubelet-of-others/x", "/mnt"):
        disks.mount(point)
    storage.unmount(disks.host, [KUBELET], every=True)
    assert disks.calls == [["umount", "--lazy", "--", VOLUME, f"{KUBELET}/pods/1"]]
    assert sorted(disks.points) == ["/", "/mnt", KUBELET, "/var/lib/kubelet-of-others/x"]


def test_a_network_namespace_goes_unless_somebody_is_in_it(disks: Disks) -> None:
    disks.mount(NETNS, "net:[1]")
    disks.mount("/run/netns/cni-podman", "net:[2]")
    disks.mount("/run/netns/blue", "net:[3]")
    disks.process(7, "net:[2]")
    assert storage.mounts(disks.host, [], every=True) == [NETNS]
    storage.unmount(disks.host, [], every=True)
    for path in disks.root.glob("run/netns/*"):
        path.rmdir()
        path.write_text("")
    assert storage.namespaces(disks.host) == [NETNS]
    storage.remove_namespaces(disks.host)
    assert sorted(path.name for path in disks.root.glob("run/netns/*")) == ["blue", "cni-podman"]


def test_what_cannot_be_unmounted_is_named_and_nothing_is_removed(disks: Disks) -> None:
    disks.mount(VOLUME)
    disks.stuck = True
    kept = disks.write(f"{VOLUME}/precious")
    with pytest.raises(OhmykubeError, match="my disk"):
        storage.unmount(disks.host, [KUBELET], every=True)
    with pytest.raises(OhmykubeError, match="nothing is removed"):
        storage.wipe(disks.host, [KUBELET])
    assert kept.exists()


def test_folders_go_with_all_they_hold_and_links_are_not_followed(disks: Disks) -> None:
    disks.write(f"{KUBELET}/pods/1/file")
    kept = disks.write("/home/me/file")
    (disks.root / "var/lib/kubelet/link").symlink_to(kept.parent)
    storage.wipe(disks.host, [KUBELET, "/var/lib/etcd"])
    assert storage.folders(disks.host, [KUBELET]) == []
    assert not (disks.root / "var/lib/kubelet").exists()
    assert kept.exists()


def test_a_disk_of_the_machine_is_emptied_and_stays(disks: Disks) -> None:
    disks.mount("/var/lib/containerd")
    disks.write("/var/lib/containerd/io.containerd/x")
    storage.wipe(disks.host, ["/var/lib/containerd"])
    assert storage.folders(disks.host, ["/var/lib/containerd"]) == []
    assert (disks.root / "var/lib/containerd").is_dir()


def test_shared_folders_go_only_when_they_are_empty(disks: Disks) -> None:
    inner, outer = "/etc/cni/net.d", "/etc/cni"
    foreign = disks.write(f"{inner}/87-podman.conflist")
    assert storage.empty(disks.host, [inner, outer]) == []
    foreign.unlink()
    assert storage.empty(disks.host, [inner, outer]) == [inner, outer]
    storage.rmdir(disks.host, [inner, outer])
    assert not (disks.root / "etc/cni").exists()


def test_pods_interfaces_are_those_on_the_bridge(disks: Disks) -> None:
    for name, bridge in (("veth1", "cni0"), ("veth2", "docker0"), ("cni0", ""), ("flannel.1", ""), ("eth0", "")):
        folder = disks.root / "sys/class/net" / name
        folder.mkdir(parents=True)
        if bridge:
            (folder / "brport").mkdir()
            (folder / "brport/bridge").symlink_to(f"../../{bridge}")
    assert network.links(disks.host) == ["veth1", "cni0", "flannel.1"]


def test_ciliums_interfaces_are_told_from_those_of_lxc(disks: Disks) -> None:
    ours = ["cilium_host", "cilium_net", "cilium_vxlan", "cilium_wg0", "lxc_health", "lxc0a1b2c3d4e5f"]
    for name in (*ours, "lxcbr0", "lxc", "cilium0"):
        (disks.root / "sys/class/net" / name).mkdir(parents=True)
    assert network.links(disks.host) == sorted(ours)


def test_a_node_that_joins_anew_forgets_its_subnet(disks: Disks) -> None:
    for path in (
        network.CONFIG,
        network.CILIUM_CONFIG,
        "/run/flannel/subnet.env",
        "/var/lib/cni/networks/cbr0/10.244.1.2",
    ):
        disks.write(path)
    foreign = disks.write("/var/lib/cni/networks/podman/10.88.0.2")
    network.forget(disks.host)
    left = [path for path in disks.root.rglob("*") if path.is_file() and "proc" not in path.parts]
    assert left == [foreign]
