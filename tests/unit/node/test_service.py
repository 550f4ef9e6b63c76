"""Services: files, units, readiness, and what is remembered of them."""

import json
import socket
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.service import (
    File,
    Plan,
    Record,
    Service,
    apply,
    plan,
    plan_absent,
    wait_ready,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd

from tests.unit.node.machine import Machine, Unit

UNIT = File("/etc/systemd/system/demo.service", "[Service]\nExecStart=/bin/demo\n")
CONFIG = File("/etc/demo/demo.toml", "a = 1\n", 0o600)
MIRROR = File("/etc/demo/mirrors.d/one/hosts.toml", "x\n", restart=False)


def service(*files: File, started: bool = True) -> Service:
    return Service("demo", ("demo.service",), files, started)


def converge(machine: Machine, wanted: Service) -> list[str]:
    machine.calls.clear()
    planned = plan(machine.host, Systemd(machine.host), wanted)
    apply(machine.host, wanted.name, planned)
    return [change.what for change in planned.changes]


def remove(machine: Machine) -> Plan:
    machine.calls.clear()
    planned = plan_absent(machine.host, Systemd(machine.host), "demo")
    apply(machine.host, "demo", planned)
    return planned


def test_a_new_service_is_written_reloaded_enabled_and_started(machine: Machine) -> None:
    assert converge(machine, service(UNIT, CONFIG, MIRROR)) == [
        UNIT.path,
        CONFIG.path,
        MIRROR.path,
        "systemd reloaded",
        "demo.service enable",
        "demo.service start",
    ]
    assert machine.calls == ["systemctl daemon-reload", "systemctl enable demo.service", "systemctl start demo.service"]
    assert converge(machine, service(UNIT, CONFIG, MIRROR)) == []
    assert machine.calls == []


def test_planning_touches_nothing(machine: Machine) -> None:
    before = sorted(machine.root.rglob("*"))
    assert plan(machine.host, Systemd(machine.host), service(UNIT, CONFIG)).changes
    assert sorted(machine.root.rglob("*")) == before
    assert machine.calls == []


def test_a_changed_configuration_restarts_and_a_mirror_does_not(machine: Machine) -> None:
    converge(machine, service(UNIT, CONFIG, MIRROR))
    changed = File(CONFIG.path, "a = 2\n", 0o600)
    assert converge(machine, service(UNIT, changed, MIRROR)) == [CONFIG.path, "demo.service restart"]
    other = File(MIRROR.path, "y\n", restart=False)
    assert converge(machine, service(UNIT, changed, other)) == [MIRROR.path]


def test_a_file_no_longer_listed_goes_with_its_folders(machine: Machine) -> None:
    machine.write("/etc/demo/theirs", "")
    converge(machine, service(UNIT, CONFIG, MIRROR))
    what = converge(machine, service(UNIT, CONFIG))
    assert f"{MIRROR.path} removed" in what
    assert not machine.exists("/etc/demo/mirrors.d")
    assert machine.exists("/etc/demo/theirs")
    assert converge(machine, service(UNIT, CONFIG)) == []


def test_enabled_alone_does_not_start_yet_restarts_what_runs(machine: Machine) -> None:
    assert converge(machine, service(UNIT, CONFIG, started=False))[-1] == "demo.service enable"
    assert machine.units["demo.service"].active == "inactive"
    machine.units["demo.service"].active = "active"
    changed = File(CONFIG.path, "a = 2\n", 0o600)
    assert converge(machine, service(UNIT, changed, started=False)) == [CONFIG.path, "demo.service restart"]


def test_a_replaced_binary_restarts(machine: Machine) -> None:
    converge(machine, service(UNIT))
    machine.units["demo.service"].pid = 77
    (machine.root / "proc/77").mkdir()
    (machine.root / "proc/77/exe").symlink_to("/bin/demo (deleted)")
    assert converge(machine, service(UNIT)) == ["demo.service restart"]


def test_a_unit_that_failed_too_often_may_start_again(machine: Machine) -> None:
    converge(machine, service(UNIT))
    machine.units["demo.service"].active = "failed"
    assert converge(machine, service(UNIT)) == ["demo.service start"]
    assert machine.calls == ["systemctl reset-failed demo.service", "systemctl start demo.service"]


def test_a_stale_unit_of_systemd_is_reloaded(machine: Machine) -> None:
    converge(machine, service(UNIT))
    machine.units["demo.service"].needs_reload = "yes"
    assert converge(machine, service(UNIT)) == ["systemd reloaded"]


def test_absent_takes_away_all_that_was_written_and_is_done_once(machine: Machine) -> None:
    converge(machine, service(UNIT, CONFIG, MIRROR))
    assert remove(machine).changes
    assert machine.calls == ["systemctl disable --now demo.service", "systemctl daemon-reload"]
    assert not machine.exists("/etc/demo")
    assert not machine.exists(UNIT.path)
    assert not machine.exists(Record.path("demo"))
    assert remove(machine).changes == []


def test_absent_leaves_alone_what_was_never_ours(machine: Machine) -> None:
    machine.units["demo.service"] = Unit("enabled", "active")
    assert remove(machine).changes == []
    assert machine.calls == []


def test_a_run_that_dies_leaves_nothing_unknown(machine: Machine) -> None:
    machine.fails = {"systemctl start demo.service": "Job for demo.service failed."}
    with pytest.raises(OhmykubeError, match="could not start") as caught:
        converge(machine, service(UNIT, CONFIG))
    assert caught.value.context["journal"] == "the last words"
    assert json.loads(machine.read(Record.path("demo")))["files"] == [UNIT.path, CONFIG.path]
    assert machine.exists(CONFIG.path)
    remove(machine)
    assert not machine.exists(CONFIG.path)
    assert not machine.exists("/etc/demo")


def test_ready_when_the_socket_accepts(machine: Machine, tmp_path: Path) -> None:
    converge(machine, service(UNIT))
    path = machine.root / "run/demo.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        wait_ready(machine.host, Systemd(machine.host), service(UNIT), "/run/demo.sock", 5)


@pytest.mark.parametrize(
    ("active", "message"),
    [("active", "does not answer on /run/demo.sock"), ("activating", "is activating"), ("failed", "has failed")],
)
def test_not_ready_in_time_is_an_error_with_the_last_words(machine: Machine, active: str, message: str) -> None:
    machine.units["demo.service"] = Unit("enabled", active)
    with pytest.raises(OhmykubeError, match=message) as caught:
        wait_ready(machine.host, Systemd(machine.host), service(UNIT), "/run/demo.sock", 0.15)
    assert caught.value.context["journal"] == "the last words"
