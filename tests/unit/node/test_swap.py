"""Swap: off for good, and back as it was."""

from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.node import swap

from tests.unit.node.machine import Machine

FSTAB = (
    "UUID=1 / ext4 defaults 0 1\n# /old none swap sw 0 0\n/swapfile none swap sw 0 0\n/dev/sdb2\tnone\tswap\tsw\t0\t0\n"
)
HEADER = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n"


def test_off_and_back(machine: Machine) -> None:
    machine.write("/etc/fstab", FSTAB)
    machine.write("/swap file", "")
    machine.write("/proc/swaps", HEADER + "/swap\\040file file 1024 0 -2\n")
    apply_all(swap.plan_off(machine.host))
    assert machine.calls == ["swapoff -- /swap file"]
    fstab = machine.read("/etc/fstab").splitlines()
    assert fstab[2:] == ["#ohmykube# /swapfile none swap sw 0 0", "#ohmykube# /dev/sdb2\tnone\tswap\tsw\t0\t0"]

    machine.write("/proc/swaps", HEADER)
    assert swap.plan_off(machine.host) == []

    apply_all(swap.plan_restore(machine.host))
    assert machine.read("/etc/fstab") == FSTAB
    assert machine.calls[1:] == ["swapon --all"]
    assert swap.plan_restore(machine.host) == []


def test_a_machine_that_is_to_use_swap_and_has_none_is_told_of(machine: Machine) -> None:
    machine.write("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
    assert "has none" in swap.none(machine.host)[0]
    machine.write("/etc/fstab", "#ohmykube# /swapfile none swap sw 0 0\n")  # which comes back
    assert swap.none(machine.host) == []
    machine.write("/etc/fstab", "")
    machine.write("/proc/swaps", HEADER + "/dev/zram0 partition 1024 0 -2\n")
    assert swap.none(machine.host) == []


def test_the_swap_of_a_containers_host_is_not_ours(machine: Machine) -> None:
    machine.write("/proc/swaps", HEADER + "/dev/vda3 partition 1024 0 -2\n")
    assert swap.plan_off(machine.host) == []


def test_without_fstab_and_without_swaps_there_is_nothing_to_do(machine: Machine) -> None:
    (machine.root / "proc/swaps").unlink()
    assert swap.plan_off(machine.host) == []
    assert swap.plan_restore(machine.host) == []
