"""The clock is kept by what is installed; facts are few."""

import os
import time

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import apply_all
from ansible_collections.ohmykube.cluster.plugins.module_utils.node import clock, facts

from tests.unit.node.machine import RELEASE, Machine, Unit


def test_a_running_daemon_is_left_alone(machine: Machine) -> None:
    machine.units["chrony.service"] = Unit("disabled", "inactive")
    assert clock.plan(machine.host) == clock.ClockPlan("systemd-timesyncd.service", [])


def test_an_installed_daemon_is_switched_on(machine: Machine) -> None:
    machine.units = {"chrony.service": Unit("disabled", "inactive")}
    plan = clock.plan(machine.host)
    apply_all(plan.changes)
    assert machine.calls == ["systemctl enable --now chrony.service"]
    assert clock.plan(machine.host).changes == []


def test_a_container_whose_host_keeps_the_time_is_fine(machine: Machine) -> None:
    machine.units = {"systemd-timesyncd.service": Unit("enabled", "inactive", tried="42")}
    assert clock.plan(machine.host).changes == []


def test_without_a_daemon_nothing_happens(machine: Machine) -> None:
    machine.units = {}
    assert clock.plan(machine.host) == clock.ClockPlan("", [])


def test_facts(machine: Machine) -> None:
    machine.write("/sys/fs/cgroup/cgroup.controllers", "cpu\n")
    fields = " ".join(map(str, [0] * 18 + [1050 * os.sysconf("SC_CLK_TCK")]))
    machine.write("/proc/1/stat", f"1 (a (b) c) S {fields} 0 0\n")
    machine.write("/proc/uptime", "1110.25 99.00\n")
    begun = time.time()
    known = facts.gather(machine.host, machine="aarch64")
    assert known["cpus"]
    assert begun - 2 <= int(str(known["booted"])) + 60 <= time.time() + 1
    assert {key: known[key] for key in known if key not in ("cpus", "booted")} == {
        "arch": "arm64",
        "kernel": RELEASE,
        "memory_mib": 4000,
        "cgroup_version": 2,
        "interface": "eth0",
        "address": "10.0.0.5",
        "second_address": "",
        "placed": False,
    }


def test_the_second_address_is_one_that_lasts(machine: Machine) -> None:
    machine.ipv6 = (
        {"local": "fd00::1", "temporary": True},
        {"local": "fd00::2", "deprecated": True},
        {"local": "fd00::3", "tentative": True},
        {"local": "fd00::4", "dynamic": True},
        {"local": "fd00::5"},
    )
    assert facts.gather(machine.host, machine="x86_64")["second_address"] == "fd00::4"


def test_without_a_route_there_is_no_address(machine: Machine) -> None:
    machine.route = ""
    known = facts.gather(machine.host, "10.1.1.1", machine="x86_64")
    assert (known["interface"], known["address"], known["cgroup_version"]) == ("", "", 1)


def test_an_unknown_machine_is_an_error(machine: Machine) -> None:
    with pytest.raises(OhmykubeError, match="riscv64"):
        facts.gather(machine.host, machine="riscv64")
