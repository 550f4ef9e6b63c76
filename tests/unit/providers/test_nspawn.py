"""The parts of the nspawn provider that need neither root nor a kernel."""

import json
import os
import shutil
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec, ProviderContext
from ohmykube.providers.nspawn import (
    NspawnProvider,
    cgroups,
    checks,
    commands,
    container,
    identity,
    kernel,
    kubernetes,
    network,
)
from ohmykube.providers.nspawn.container import Container
from ohmykube.providers.nspawn.names import unique


@pytest.fixture
def context(tmp_path: Path) -> ProviderContext:
    directory = tmp_path / "clusters/dev"
    directory.mkdir(parents=True)
    return ProviderContext(
        cluster="dev",
        directory=directory,
        home=tmp_path,
        identity_file=directory / "id_ed25519",
        known_hosts=directory / "known_hosts",
    )


def _machine(**sizes: object) -> MachineSpec:
    wish = {"cpu": 1, "memory": 2**30, "disk": 0, **sizes}
    return MachineSpec("dev-worker-1", "worker", "worker", **wish)  # type: ignore[arg-type]


def test_names_fit_an_interface_and_differ_by_folder() -> None:
    names = {unique(Path(folder)) for folder in ("/a/dev", "/a/dev-2", "/b/dev", "/a/dev/machines")}

    assert len(names) == 4
    assert all(len(f"vb-{name}") <= 15 for name in names)


def test_a_network_overlaps_nothing_that_is_taken() -> None:
    taken = [IPv4Network("10.74.0.0/23"), IPv4Network("10.74.2.128/25")]

    assert network.choose(taken) == IPv4Network("10.74.3.0/24")
    assert network.choose([IPv4Network("10.0.0.0/8")]) == IPv4Network("172.28.0.0/24")


def test_no_network_left() -> None:
    with pytest.raises(OhmykubeError, match="routed or reserved"):
        network.choose([IPv4Network("0.0.0.0/0")])


def test_routes_of_hosts_and_networks_count_the_default_does_not() -> None:
    routes = [{"dst": "default"}, {"dst": "10.74.0.0/24"}, {"type": "local", "dst": "10.74.1.1"}]

    assert network._routed(routes) == [IPv4Network("10.74.0.0/24"), IPv4Network("10.74.1.1/32")]


def test_nameservers_of_this_computer_alone_are_left_out() -> None:
    assert identity.parse_nameservers("# x\nnameserver 127.0.0.53\nnameserver 10.0.0.53\noptions edns0\n") == [
        "10.0.0.53"
    ]


def test_offline_the_nameserver_is_one_that_refuses_at_once() -> None:
    assert identity.nameservers(offline=True, gateway="10.74.0.1") == ["10.74.0.1"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_identity_is_written_with_modes_that_sshd_accepts(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        key = identity.write(tmp_path, name="dev-1", authorized_key="ssh-ed25519 A me\n", nameservers=["9.9.9.9"])
    finally:
        os.umask(previous)

    assert key.startswith("ssh-ed25519 ")
    assert (tmp_path / "etc/hostname").read_text() == "dev-1\n"
    assert len((tmp_path / "etc/machine-id").read_text()) == 33
    assert "127.0.1.1 dev-1" in (tmp_path / "etc/hosts").read_text()
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("etc", "root/.ssh", "etc/resolv.conf")}
    assert modes == {"etc": 0o755, "root/.ssh": 0o700, "etc/resolv.conf": 0o644}
    assert (tmp_path / "root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / identity.INIT).stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600


def test_the_command_line_binds_what_must_not_lie_on_an_overlay(tmp_path: Path) -> None:
    place = container.Place("omk-1", "10.74.0.2/24", "10.74.0.1", "fd00::2/64", "fd00::1")
    argv = container.command(Container(tmp_path / "a:b"), name="dev-1", place=place)

    assert argv[0] == "systemd-nspawn"
    assert "--hostname=dev-1" in argv
    bound = [word for word in argv if word.startswith("--bind=") and word.endswith(":/var/lib/containerd")]
    assert bound == [f"--bind={tmp_path}/a\\:b/volumes/containerd:/var/lib/containerd"]


def test_a_kernel_with_its_features_built_in_as_modules_or_unknown(tmp_path: Path) -> None:
    assert kernel.missing(tmp_path) == []  # nothing says what it has

    release = os.uname().release
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / f"config-{release}").write_text(
        "CONFIG_OVERLAY_FS=y\nCONFIG_BRIDGE=m\nCONFIG_BRIDGE_NETFILTER=m\nCONFIG_VETH=m\n# CONFIG_VXLAN is not set\n"
    )
    (tmp_path / "sys/module/nf_tables").mkdir(parents=True)
    assert kernel.missing(tmp_path) == ["vxlan"]

    (tmp_path / "lib/modules" / release).mkdir(parents=True)
    (tmp_path / "lib/modules" / release / "modules.dep").write_text("kernel/drivers/net/vxlan/vxlan.ko.xz: x\n")
    assert kernel.missing(tmp_path) == []


def test_cgroup_v1_needs_more_to_be_told() -> None:
    old, new = kubernetes.variables(None, legacy=True), kubernetes.variables(None, legacy=False)

    assert old["containerd_systemd_cgroup"] is False
    assert new["containerd_systemd_cgroup"] is True
    assert old["kubeadm_ignore_preflight"] == ["SystemVerification"]
    assert new["kubeadm_ignore_preflight"] == ([] if kernel.configuration_visible() else ["SystemVerification"])
    kinds = [[document["kind"] for document in told["kubeadm_provider_config"]] for told in (old, new)]  # type: ignore[attr-defined]
    assert kinds == [["KubeProxyConfiguration", "KubeletConfiguration"], ["KubeProxyConfiguration"]]


def test_pods_are_scheduled_by_the_machines_size() -> None:
    limits = cgroups.Limits(cpu=os.cpu_count() or 1, memory=2**20)

    *_, first, joining = kubernetes.variables(limits, legacy=False)["kubeadm_provider_config"]  # type: ignore[misc]

    assert [first["kind"], joining["kind"]] == ["InitConfiguration", "JoinConfiguration"]
    (argument,) = joining["nodeRegistration"]["kubeletExtraArgs"]
    assert argument == {"name": "system-reserved", "value": f"memory={kernel.memory()['MemTotal'] - 2**20}"}
    whole = cgroups.Limits(cpu=os.cpu_count() or 1, memory=kernel.memory()["MemTotal"])
    assert len(kubernetes.variables(whole, legacy=False)["kubeadm_provider_config"]) == 1  # type: ignore[arg-type]


def test_preflight_names_every_machine_that_is_too_big(context: ProviderContext) -> None:
    machines = [_machine(cpu=10_000, memory=2**60), _machine(disks=(2**30,))]

    problems = NspawnProvider(context).preflight(machines)

    codes = [problem.code for problem in problems]
    assert codes[:3] == ["nspawn.size", "nspawn.size", "nspawn.disks"]
    assert all(problem.hint for problem in problems)


def test_preflight_offline_without_a_base(context: ProviderContext) -> None:
    offline = ProviderContext(**{**vars(context), "offline": True})

    codes = {problem.code for problem in checks.preflight(offline, [])}

    assert codes & {"nspawn.offline", "nspawn.template"}  # the second where there is no Debian or Ubuntu


def test_before_prepare_there_is_nothing(context: ProviderContext) -> None:
    provider = NspawnProvider(context)

    assert provider.machines() == []
    assert provider.clusters() == []
    assert provider.address_pool() == provider.api_address() == ""


def test_control_planes_share_an_address_that_no_machine_and_no_load_balancer_gets(context: ProviderContext) -> None:
    (context.directory / "machines").mkdir()
    plan = {"subnet": "10.74.3.0/24", "addresses": {}}
    (context.directory / "machines/network.json").write_text(json.dumps(plan))
    provider = NspawnProvider(context)

    first, second = provider.address_pool().split(",")
    assert (first, provider.api_address()) == ("10.74.3.200-10.74.3.250", "10.74.3.254")
    assert second == "fd6f:6d6b:a:4a03::c8-fd6f:6d6b:a:4a03::fa"
    assert provider.reach("10.74.3.254", 6443) == "10.74.3.254:6443"


def test_a_machine_made_in_part_is_broken_and_does_not_start(context: ProviderContext) -> None:
    (context.directory / "machines/dev-worker-1/upper").mkdir(parents=True)
    provider = NspawnProvider(context)

    assert provider.clusters() == ["dev"]
    assert [(machine.status, machine.detail) for machine in provider.machines()] == [("broken", "made only in part")]
    with pytest.raises(OhmykubeError, match="made only in part"):
        provider.start("dev-worker-1")


def test_cleanup_refuses_while_machines_are_left(context: ProviderContext) -> None:
    (context.directory / "machines/dev-worker-1").mkdir(parents=True)

    with pytest.raises(OhmykubeError, match="machines are left: dev-worker-1"):
        NspawnProvider(context).cleanup()


def test_a_tool_that_fails_is_quoted() -> None:
    with pytest.raises(OhmykubeError, match=r"sh failed: no such thing") as error:
        commands.run(["sh", "-c", "echo no such thing >&2; exit 3"])
    assert "sh -c" in error.value.hint

    with pytest.raises(OhmykubeError, match="no answer within"):
        commands.run(["sleep", "5"], timeout=0.1)
    with pytest.raises(OhmykubeError, match="absent-tool"):
        commands.run(["absent-tool"])
