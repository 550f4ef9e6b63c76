"""Power that is cut comes back: by a process that waits, or by hand; and not where the machine is to be off or gone."""

import json
import sys
import time
from types import SimpleNamespace

from ohmykube.cli import chaos_power
from ohmykube.errors import OhmykubeError
from ohmykube.phases.power_cuts import ForgetPowerCuts
from tests.patience import soon
from tests.unit.cli.chaos_world import NODES, WORKER, data, ended, make_world, status  # noqa: F401 - a fixture


def test_power_is_cut_when_a_process_waits_to_bring_it_back(run, world):
    row = data(run("chaos", "power-off", WORKER, "-o", "json"))
    assert row["left"] == "1m"
    assert world.provider.existing[WORKER] == "stopped"
    assert world.cut().awaited
    ((node, fault, left),) = status(run)
    assert (node, fault) == (WORKER, "power-off")
    assert left in ("1m", "59s", "58s")
    code, _, err = run("chaos", "partition", WORKER)
    assert code == 1
    assert f"{WORKER}: the machine is stopped" in err


def test_power_comes_back_by_hand_and_the_process_ends(run, world):
    data(run("chaos", "power-off", WORKER, "-o", "json"))
    cut = world.cut()
    assert run("chaos", "heal")[1] == f"{WORKER}: power-off healed\n"
    assert world.provider.existing[WORKER] == "running"
    assert world.cut() is None
    assert soon(lambda: ended(cut))
    assert status(run) == []


def test_the_same_again_has_one_process_with_the_new_time(run, world):
    data(run("chaos", "power-off", WORKER, "-o", "json"))
    first = world.cut()
    data(run("chaos", "power-off", WORKER, "--for", "5m", "-o", "json"))
    assert world.cut().until > first.until + 200
    assert soon(lambda: ended(first))
    assert world.cut().awaited


def test_a_process_that_does_not_start_leaves_the_power_on(run, world, monkeypatch):
    argv = [sys.executable, "-c", "raise SystemExit('it is broken')"]
    monkeypatch.setattr(chaos_power, "_argv", lambda *_: argv)
    code, _, err = run("chaos", "power-off", WORKER)
    assert code == 1
    assert "it is broken" in err
    assert world.provider.existing[WORKER] == "running"


def test_a_machine_without_a_switch_leaves_no_process(run, world):
    world.provider.refuse = {WORKER}
    code, _, err = run("chaos", "power-off", WORKER)
    assert code == 1
    assert "has no switch" in err
    assert world.cut() is None


def test_a_machine_that_is_off_already_is_left_so(run, world):
    world.provider.existing[WORKER] = "stopped"
    code, _, err = run("chaos", "power-off", WORKER)
    assert code == 1
    assert "is stopped already" in err
    assert run("chaos", "heal")[1] == "No fault is in force.\n"
    assert world.provider.existing[WORKER] == "stopped"


def test_the_process_switches_on_when_its_time_has_come(run, world):
    world.provider.existing[WORKER] = "stopped"
    (world.folder.path / "power").mkdir()
    assert data(run("chaos", "power-on", WORKER, "--after=0.5", "-o", "json"))["changed"]
    assert world.provider.existing[WORKER] == "running"
    assert world.cut() is None
    assert not data(run("chaos", "power-on", WORKER, "--after=0", "-o", "json"))["changed"]  # it runs


def test_the_process_tries_again_while_it_cannot(run, world, monkeypatch):
    world.provider.existing[WORKER] = "stopped"
    (world.folder.path / "power").mkdir()
    monkeypatch.setattr(chaos_power, "_PAUSE", 0)
    start, failures = world.provider.start, iter("12")

    def reluctant(name):
        if next(failures, ""):
            raise OhmykubeError("fake.busy", "somebody has the network")
        start(name)

    world.provider.start = reluctant
    code, _, err = run("chaos", "power-on", WORKER, "--after=0")
    assert code == 0
    assert err.count("somebody has the network") == 2
    assert world.provider.existing[WORKER] == "running"


def test_a_machine_that_was_stopped_or_taken_away_is_not_switched_on(run, world):
    data(run("chaos", "power-off", WORKER, "-o", "json"))
    cut = world.cut()
    context = SimpleNamespace(folder=world.folder, targets=[SimpleNamespace(name=name) for name in NODES])
    assert ForgetPowerCuts().needed(context)
    ForgetPowerCuts().run(context)
    assert not ForgetPowerCuts().needed(context)
    assert soon(lambda: ended(cut))
    assert world.provider.existing[WORKER] == "stopped"

    data(run("chaos", "power-off", NODES[2], "-o", "json"))
    del world.provider.existing[NODES[2]]
    assert not data(run("chaos", "power-on", NODES[2], "--after=0", "-o", "json"))["changed"]
    assert NODES[2] not in world.provider.existing


def test_a_cluster_that_is_gone_stays_gone(run, world):
    data(run("chaos", "power-off", WORKER, "-o", "json"))
    cut = world.cut()
    world.folder.remove()
    assert soon(lambda: ended(cut))
    assert not world.folder.path.exists()


def test_a_process_that_died_is_told_of(run, world):
    (world.folder.path / "power").mkdir()
    record = {"node": WORKER, "until": time.time() + 60, "pid": 2**22 + 1}
    (world.folder.path / "power" / f"{WORKER}.json").write_text(json.dumps(record))
    assert status(run) == []  # it runs
    world.provider.existing[WORKER] = "stopped"
    (row,) = data(run("chaos", "status", "-o", "json"))
    assert (row["seconds"], row["left"]) == (None, "")
    assert f"ohmykube chaos heal {WORKER}" in row["detail"]
    assert run("chaos", "heal", WORKER)[1] == f"{WORKER}: power-off healed\n"
