"""Scripts that run once: what is remembered of them, what is kept of what they say, and how they end."""

import fcntl
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize import hooks
from ansible_collections.ohmykube.cluster.plugins.module_utils.customize.hooks import LOGS, RECORD, SCRIPTS
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.modules import node_hooks

from tests.unit.node.machine import Machine

LOG = f"{LOGS}/preSystem-one.log"


def run(
    machine: Machine, *scripts: str, names: str = "one two three", check_mode: bool = False, **more: Any
) -> list[str]:
    """What ran of these scripts, which have these names."""
    wanted = [
        {"name": name, "script": script, "file": None, "timeout": more.get("timeout", 60)}
        for name, script in zip(names.split(), scripts, strict=False)
    ]
    options = {"moment": "preSystem", "hooks": wanted, "cluster": "dev", "node": "dev-worker-1", "role": "worker"}
    done = node_hooks.run({**options, "state": "present", **more}, machine.host, check_mode=check_mode)
    return [change.removeprefix("hook preSystem/") for change in done["changes"]]


def failure(machine: Machine, *scripts: str, **more: Any) -> OhmykubeError:
    with pytest.raises(OhmykubeError) as caught:
        run(machine, *scripts, **more)
    return caught.value


def appended(machine: Machine) -> str:
    """A script that leaves a trace of each of its runs in /runs."""
    return f"echo x >>{machine.root}/runs\n"


def test_a_hook_runs_once_and_once_more_when_it_has_changed(machine: Machine) -> None:
    script = appended(machine)
    assert run(machine, script, script) == ["one", "two"]
    assert run(machine, script, script) == []
    assert run(machine, script, script + "# changed\n") == ["two"]
    assert run(machine, script, script + "# changed\n") == []
    assert run(machine, script, script) == ["two"]
    assert machine.read("/runs") == "x\n" * 4


def test_check_mode_says_what_would_run(machine: Machine) -> None:
    assert run(machine, appended(machine), check_mode=True) == ["one"]
    assert not machine.exists("/runs")
    assert not machine.exists("/var/lib/ohmykube")
    assert not machine.exists("/var/log/ohmykube")


def test_what_it_says_is_kept_for_root_alone(machine: Machine) -> None:
    run(machine, "echo out; echo err >&2; read line || echo no input; pwd")
    assert machine.read(LOG) == "out\nerr\nno input\n/\n"
    for path, mode in ((LOG, 0o600), (LOGS, 0o700), (RECORD, 0o600)):
        assert stat.S_IMODE((machine.root / path[1:]).stat().st_mode) == mode
    assert not machine.exists(SCRIPTS)


def test_scripts_know_where_they_are_and_name_their_interpreter(machine: Machine) -> None:
    names = "OHMYKUBE_CLUSTER", "OHMYKUBE_NODE", "OHMYKUBE_ROLE"
    run(machine, f"#!/usr/bin/env python3\nimport os\nfor name in {names}: print(os.environ[name])")
    assert machine.read(LOG) == "dev\ndev-worker-1\nworker\n"


def test_a_failure_ends_it_and_tells_the_log_and_the_last_lines(machine: Machine) -> None:
    error = failure(machine, appended(machine), "seq 100\nfalse\necho not reached", appended(machine))
    assert error.code == "hook.failed"
    assert error.message == "the hook two (preSystem) failed with status 1: 100"
    assert f"{LOGS}/preSystem-two.log" in error.hint
    assert error.context["output"].split() == [str(number) for number in range(81, 101)]
    assert machine.read("/runs") == "x\n"
    # The first does not run again, the one that failed does, and then the last.
    assert run(machine, appended(machine), "true", appended(machine)) == ["two", "three"]


def test_one_that_failed_runs_again_even_if_it_is_what_it_was_when_it_succeeded(machine: Machine) -> None:
    run(machine, "true")
    failure(machine, "false")
    assert run(machine, "true") == ["one"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/no/such/interpreter\n", "could not be started: No such file"),
        ("kill -9 $$", "was ended by SIGKILL"),
        ("exit 3", "failed with status 3"),
        ("#!/bin/sh\nfalse\nno-such-program", "failed with status 127: .*not found"),
    ],
)
def test_however_it_fails_it_is_told(machine: Machine, script: str, words: str) -> None:
    with pytest.raises(OhmykubeError, match=words):
        run(machine, script)
    assert json.loads(machine.read(RECORD)) == {}
    assert not machine.exists(SCRIPTS)


def test_one_that_takes_too_long_goes_with_its_children(machine: Machine) -> None:
    script = f"echo begun; sh -c 'echo $$ >{machine.root}/pid; exec sleep 1000'; true"
    error = failure(machine, script, timeout=2)
    assert error.message == "the hook one (preSystem) did not end within 2 s: begun"
    _gone(int(machine.read("/pid")))


def test_one_that_nobody_waits_for_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_nobody_waits", lambda: True)
    assert failure(machine, f"echo $$ >{machine.root}/pid; exec sleep 60").code == "hook.interrupted"
    _gone(int(machine.read("/pid")))
    monkeypatch.undo()
    assert run(machine, "true") == ["one"]


def test_what_it_leaves_in_the_background_is_not_waited_for(machine: Machine) -> None:
    run(machine, f"sleep 1000 & echo $! >{machine.root}/pid")
    os.kill(int(machine.read("/pid")), 9)  # it is still there


def test_two_runs_at_once_do_not_meet(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_LOCK_TIMEOUT", 0)
    folder = machine.root / LOGS[1:]
    folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert failure(machine, "true").code == "hook.busy"
    os.close(descriptor)
    assert run(machine, "true") == ["one"]


def test_absent_forgets_all_of_it(machine: Machine) -> None:
    before = sorted(machine.root.rglob("*"))
    run(machine, "true")
    assert run(machine, state="absent", moment=None, check_mode=True)
    assert run(machine, state="absent", moment=None)
    assert sorted(machine.root.rglob("*")) == before
    assert run(machine, state="absent", moment=None) == []


def test_names_are_told_apart(machine: Machine) -> None:
    assert failure(machine, "true", "true", names="one one").code == "hook.name"
    assert failure(machine, "true", names="../one").code == "hook.name"
    assert failure(machine, "true", moment=None).code == "hook.moment"


def _gone(process: int) -> None:
    """It is no more, or a zombie of somebody who has not looked yet."""
    try:
        assert Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return
