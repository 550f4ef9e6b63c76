"""Whose processes a reset kills, and whose it does not."""

import threading
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import processes

SHIM = "/usr/local/bin/containerd-shim-runc-v2 -namespace {} -id 1 -address /run/{}/containerd.sock"
PODS = SHIM.format("k8s.io", "containerd")


class Computer:
    """Processes in a temporary /proc; `kill` removes them unless they are stubborn."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stubborn: set[int] = set()
        self.link("self", "pid:[1]", "net:[1]")

    @property
    def host(self) -> Host:
        return Host(self.root, self._run)

    def link(self, process: str, pid: str, net: str) -> None:
        folder = self.root / "proc" / process / "ns"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pid").symlink_to(pid)
        (folder / "net").symlink_to(net)

    def start(
        self,
        pid: int,
        command: str,
        *,
        parent: int = 1,
        cgroup: str = "/",
        inside: str = "pid:[1]",
        net: str = "net:[1]",
    ) -> None:
        self.link(str(pid), inside, net)
        folder = self.root / "proc" / str(pid)
        (folder / "cmdline").write_text("".join(f"{word}\0" for word in command.split()))
        (folder / "cgroup").write_text(f"3:cpu:{cgroup}\n0::/\n")
        (folder / "stat").write_text(f"{pid} (a (b) c) S {parent} 1 1")

    def _run(self, argv, timeout):
        for pid in argv[2:] if argv[0] == "kill" else ():
            if int(pid) not in self.stubborn:
                (self.root / "proc" / pid / "cmdline").write_text("")
        return Completed(0)


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path)


def test_pods_and_their_shims_are_found(computer: Computer) -> None:
    computer.start(10, PODS)
    computer.start(11, "/pause", parent=10, inside="pid:[2]", net="net:[2]")
    computer.start(12, "nginx -g", cgroup="/kubepods/besteffort/pod1/2", inside="pid:[2]")
    computer.start(13, "sleep 9", cgroup="/kubepods.slice/pod1.slice/2")
    assert processes.find(computer.host, every=False) == [
        "10 containerd-shim-runc-v2",
        "11 pause",
        "12 nginx",
        "13 sleep",
    ]


def test_others_are_left_alone(computer: Computer) -> None:
    """Whole nodes in containers show the same command lines and cgroups, but not in the same place."""
    computer.start(10, PODS, inside="pid:[7]")
    computer.start(11, "/pause", parent=10, inside="pid:[8]", cgroup="/docker/4711/kubepods/pod1")
    computer.start(12, SHIM.format("k8s.io", "k3s/containerd"))
    computer.start(13, "vi containerd-shim-runc-v2 k8s.io /kubepods", cgroup="/user.slice")
    computer.start(14, "", cgroup="/kubepods/pod1")  # a zombie
    (computer.root / "proc/15").mkdir()  # it has just ended
    assert processes.find(computer.host, every=True) == []


def test_containers_beside_the_kubelets_go_with_a_containerd_of_ours(computer: Computer) -> None:
    computer.start(10, SHIM.format("default", "containerd"))
    computer.start(11, "httpd -f", parent=10, inside="pid:[2]", cgroup="/default/web")
    assert processes.find(computer.host, every=False) == []
    assert processes.find(computer.host, every=True) == ["10 containerd-shim-runc-v2", "11 httpd"]


def test_namespaces_of_others_are_known(computer: Computer) -> None:
    computer.start(10, PODS)
    computer.start(11, "/pause", parent=10, net="net:[2]")
    computer.start(12, "podman", net="net:[3]")
    assert processes.networks(computer.host, every=True) == {"net:[3]"}


def test_they_are_killed(computer: Computer) -> None:
    computer.start(10, PODS)
    computer.start(11, "sshd", cgroup="/system.slice")
    processes.kill(computer.host, every=True)
    assert processes.find(computer.host, every=True) == []
    assert (computer.root / "proc/11/cmdline").read_text()


def test_a_kubeadm_that_is_at_work_is_ended(computer: Computer) -> None:
    computer.start(10, "kubeadm init --config=/etc/kubernetes/kubeadm.yaml")
    computer.start(11, "/usr/local/bin/kubeadm join", inside="pid:[7]")
    computer.start(12, "vi kubeadm")
    assert processes.installers(computer.host) == ["10 kubeadm init"]
    processes.end_installers(computer.host)
    assert processes.installers(computer.host) == []


def test_one_that_cannot_be_killed_is_named(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_TIMEOUT", 0.1)
    computer.start(10, PODS)
    computer.stubborn.add(10)
    with pytest.raises(OhmykubeError, match="10 containerd-shim-runc-v2") as caught:
        processes.kill(computer.host, every=True)
    assert caught.value.code == "reset.processes"


def test_cgroups_go_once_they_are_not_busy(computer: Computer) -> None:
    root = computer.root / "sys/fs/cgroup"
    busy = root / "cpu,cpuacct/kubepods/besteffort/pod1/still-here"
    for path in (busy, root / "memory/kubepods/pod1", root / "memory/system.slice"):
        path.mkdir(parents=True)
    (root / "cpu").symlink_to("cpu,cpuacct")
    (busy / "process").mkdir()
    assert processes.cgroups(computer.host) == [str(root / "cpu,cpuacct/kubepods"), str(root / "memory/kubepods")]
    (busy / "process/x").write_text("")
    threading.Timer(0.2, (busy / "process/x").unlink).start()
    processes.remove_cgroups(computer.host)
    assert processes.cgroups(computer.host) == []
    assert (root / "memory/system.slice").is_dir()
