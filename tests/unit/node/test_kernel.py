"""Kernel features: built in or loaded, and an error that names all that are missing."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.node import kernel

from tests.unit.node.machine import RELEASE, Machine, built_in


def test_built_in_features_need_nothing(machine: Machine) -> None:
    assert kernel.plan(machine.host).changes == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"/boot/config-{RELEASE}", "CONFIG_VXLAN=y\n"),
        (f"/lib/modules/{RELEASE}/modules.builtin", "kernel/drivers/net/vxlan/vxlan.ko\n"),
        ("/sys/module/vxlan/version", "0.1\n"),
        ("/proc/filesystems", "nodev\tvxlan\n"),
    ],
)
def test_every_sign_of_a_built_in_feature_counts(machine: Machine, path: str, text: str) -> None:
    machine.write("/proc/sys/net/netfilter/nf_conntrack_max", "1\n")
    machine.write("/sys/module/overlay/x", "")
    machine.write("/sys/module/nf_tables/x", "")
    (machine.root / "proc/config.gz").unlink()
    machine.write(path, text)
    assert kernel.plan(machine.host).changes == []


def test_a_loadable_module_is_loaded_and_kept(machine: Machine) -> None:
    built_in(machine, "OVERLAY_FS", "BRIDGE_NETFILTER", "NF_TABLES", "NF_CONNTRACK")
    machine.loadable = {"vxlan", "ip_vs"}
    plan = kernel.plan(machine.host, ["ip-vs"])
    assert [change.what for change in plan.changes] == [
        "kernel module vxlan loaded",
        "kernel module ip_vs loaded",
        kernel.PERSISTED,
    ]
    assert plan.loading == {"vxlan", "ip_vs"}
    assert machine.calls == []
    apply_all(plan.changes)
    assert machine.calls == ["modprobe vxlan", "modprobe ip_vs"]
    assert machine.read(kernel.PERSISTED) == "vxlan\nip_vs\n"

    machine.write("/proc/modules", "vxlan 155648 0 - Live 0x0\nip_vs 1 0 - Live 0x0\n")
    (machine.root / "lib/modules" / RELEASE).mkdir(parents=True)
    assert kernel.plan(machine.host, ["ip_vs"]).changes == []


def test_what_the_host_of_a_container_has_loaded_is_not_kept_in_the_container(machine: Machine) -> None:
    built_in(machine)
    machine.write("/proc/modules", "".join(f"{name} 1 0 - Live 0x0\n" for name in kernel.REQUIRED))
    assert kernel.plan(machine.host).changes == []


def test_all_missing_features_are_named_at_once(machine: Machine) -> None:
    built_in(machine, "OVERLAY_FS")
    (machine.root / "proc/sys/net/bridge").rename(machine.root / "proc/sys/net/elsewhere")
    with pytest.raises(OhmykubeError, match="br_netfilter, vxlan, nf_tables, nf_conntrack") as caught:
        kernel.plan(machine.host)
    assert caught.value.code == "node.kernel_feature"


def test_absent_forgets_the_modules(machine: Machine) -> None:
    machine.write(kernel.PERSISTED, "vxlan\n")
    apply_all(kernel.plan_absent(machine.host))
    assert not machine.exists(kernel.PERSISTED)
    assert kernel.plan_absent(machine.host) == []
