"""Kernel parameters: set, kept, raised only where shared, and put back."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.node import sysctl

from tests.unit.node.machine import Machine


def test_set_kept_and_put_back(machine: Machine) -> None:
    plan = sysctl.plan(machine.host, {})
    assert "sysctl net.ipv4.ip_forward: 0 -> 1" in [change.what for change in plan.changes]
    assert machine.read("/proc/sys/net/ipv4/ip_forward") == "0\n"
    apply_all(plan.changes)
    assert machine.read("/proc/sys/net/ipv4/ip_forward") == "1\n"
    assert machine.read("/proc/sys/kernel/panic") == "10\n"
    assert "net.ipv4.ip_forward = 1\n# was 0\n" in machine.read(sysctl.PERSISTED)
    assert sysctl.plan(machine.host, {}).changes == []

    apply_all(sysctl.plan_absent(machine.host))
    assert machine.read("/proc/sys/net/ipv4/ip_forward") == "0\n"
    assert machine.read("/proc/sys/net/bridge/bridge-nf-call-iptables") == "1\n"
    assert not machine.exists(sysctl.PERSISTED)
    assert sysctl.plan_absent(machine.host) == []


def test_shared_limits_are_raised_and_never_lowered(machine: Machine) -> None:
    apply_all(sysctl.plan(machine.host, {}).changes)
    assert machine.read("/proc/sys/fs/inotify/max_user_instances") == "8192\n"
    assert machine.read("/proc/sys/fs/inotify/max_user_watches") == "1000000\n"
    kept = machine.read(sysctl.PERSISTED)
    assert "max_user_instances = 8192" in kept
    assert "max_user_watches" not in kept

    apply_all(sysctl.plan_absent(machine.host))
    assert machine.read("/proc/sys/fs/inotify/max_user_instances") == "8192\n"


def test_what_was_is_remembered_over_further_runs(machine: Machine) -> None:
    apply_all(sysctl.plan(machine.host, {}).changes)
    apply_all(sysctl.plan(machine.host, {"kernel.panic": "20"}).changes)
    assert "kernel.panic = 20\n# was 0\n" in machine.read(sysctl.PERSISTED)


def test_a_value_that_somebody_changed_since_is_theirs(machine: Machine) -> None:
    apply_all(sysctl.plan(machine.host, {}).changes)
    machine.write("/proc/sys/kernel/panic", "30\n")
    apply_all(sysctl.plan_absent(machine.host))
    assert machine.read("/proc/sys/kernel/panic") == "30\n"


def test_several_numbers_and_names_with_slashes(machine: Machine) -> None:
    machine.write("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
    machine.write("/proc/sys/net/ipv4/conf/eth0.5/rp_filter", "1\n")
    extra = {"net.ipv4.tcp_rmem": "4096 131072 6291456", "net/ipv4/conf/eth0.5/rp_filter": "0"}
    names = [change.what for change in sysctl.plan(machine.host, extra).changes]
    assert not [name for name in names if "tcp_rmem" in name]
    assert "sysctl net/ipv4/conf/eth0.5/rp_filter: 1 -> 0" in names


def test_a_sysctl_of_a_module_that_is_being_loaded_is_planned(machine: Machine) -> None:
    (machine.root / "proc/sys/net/bridge").rename(machine.root / "proc/sys/net/later")
    with pytest.raises(OhmykubeError, match="bridge-nf-call-iptables"):
        sysctl.plan(machine.host, {})
    plan = sysctl.plan(machine.host, {}, frozenset({"br_netfilter"}))
    assert "sysctl net.bridge.bridge-nf-call-iptables: absent -> 1" in [change.what for change in plan.changes]
    (machine.root / "proc/sys/net/later").rename(machine.root / "proc/sys/net/bridge")
    apply_all(plan.changes)
    assert sysctl.plan(machine.host, {}).changes == []


def test_without_ipv6_its_forwarding_is_a_warning(machine: Machine) -> None:
    (machine.root / "proc/sys/net/ipv6/conf/all/forwarding").unlink()
    plan = sysctl.plan(machine.host, {})
    assert [text for text in plan.warnings if "ipv6" in text]
    apply_all(plan.changes)
    assert "ipv6" not in machine.read(sysctl.PERSISTED)


def test_what_cannot_be_set_is_accepted_where_it_suffices(machine: Machine) -> None:
    value = _refuse(machine, "kernel/demo")
    plan = sysctl.plan(machine.host, {"kernel.demo": value})
    apply_all(plan.changes)
    assert f"kernel.demo = {value}" in machine.read(sysctl.PERSISTED)


def test_what_cannot_be_set_and_does_not_suffice_is_an_error(machine: Machine) -> None:
    _refuse(machine, "net/ipv4/ip_forward")
    with pytest.raises(OhmykubeError, match="ip_forward") as caught:
        apply_all(sysctl.plan(machine.host, {}).changes)
    assert caught.value.code == "node.sysctl_refused"


def test_a_limit_that_cannot_be_raised_is_a_warning(machine: Machine) -> None:
    _refuse(machine, "fs/inotify/max_user_instances")
    plan = sysctl.plan(machine.host, {})
    apply_all(plan.changes)
    assert [text for text in plan.warnings if "max_user_instances stays" in text]


def test_values_of_yaml_become_text() -> None:
    assert sysctl.as_text({"a": True, "b": 3, "c": "1 2"}) == {"a": "1", "b": "3", "c": "1 2"}


def _refuse(machine: Machine, name: str) -> str:
    """A parameter that has this value and takes no other, from root neither: a real one of the kernel is like that."""
    target = machine.root / "proc/sys" / name
    target.unlink(missing_ok=True)
    target.symlink_to("/proc/sys/kernel/cap_last_cap")
    return target.read_text().strip()
