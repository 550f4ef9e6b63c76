"""Home, state, atomic writes, locks."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget
from ohmykube.store import atomic, lock
from ohmykube.store.home import Home
from ohmykube.store.state import MachineRecord, State
from tests.patience import PATIENCE

SSH = SshTarget("10.0.0.1", "root", Path("/k/id"), Path("/k/known"), 2222, "dev-1")
STATE = State(
    "dev",
    "nspawn",
    (
        MachineRecord(
            "dev-1", "control-plane", "control-plane", Machine("dev-1", "running", "10.0.0.1", ssh=SSH), {"a": 1}
        ),
        MachineRecord("dev-2", "worker", "worker"),
    ),
    "10.0.0.200-10.0.0.250",
    ("/c.yml",),
    "2026-01-01T00:00:00+00:00",
)


def test_state_reads_back_as_written():
    folder = Home.from_environment().cluster("dev")
    folder.make()
    folder.write_state(STATE)
    assert folder.read_state() == STATE


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"apiVersion": "ohmykube.dev/v1"}', '{"apiVersion": "x/v9"}', ""])
def test_a_damaged_or_newer_state_is_one_clear_error_and_stays(text):
    folder = Home.from_environment().cluster("dev")
    folder.make()
    folder.state_file.write_text(text)
    with pytest.raises(OhmykubeError) as caught:
        folder.read_state()
    assert caught.value.code in ("state.unreadable", "state.newer")
    assert folder.state_file.read_text() == text


def test_the_home_is_private_and_so_is_every_file():
    home = Home.from_environment()
    home.make()
    folder = home.cluster("dev")
    folder.make()
    folder.write_spec({"a": 1})
    folder.write_state(STATE)
    home.choose("dev")
    assert home.path.stat().st_mode & 0o777 == 0o700
    for path in [folder.spec_file, folder.state_file, home.path / "current"]:
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_made_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("OHMYKUBE_HOME", "/proc/nowhere")
    with pytest.raises(OhmykubeError, match="/proc/nowhere cannot be used"):
        Home.from_environment().make()


def test_clusters_and_the_current_one():
    home = Home.from_environment()
    for name in ("b", "a"):
        home.cluster(name).make()
        home.cluster(name).write_spec({})
    home.cluster("half").make()  # no cluster.yaml: not a cluster yet
    assert [folder.name for folder in home.clusters()] == ["a", "b"]
    home.choose("a")
    home.forget_choice("b")
    assert home.current() == "a"
    home.forget_choice("a")
    assert home.current() == ""


def test_a_write_that_fails_leaves_the_old_content_and_no_litter(tmp_path):
    path = tmp_path / "f"
    atomic.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write(path, "\ud800")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["f"]


_HOLDER = """
import sys, time
from pathlib import Path
from ohmykube.store import lock
with lock.hold(Path(sys.argv[1]), "up", timeout=5, waiting=print):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path):
    path = tmp_path / "dev" / "lock"
    process = subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process, path
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_process_is_told_who_holds_the_lock(holder):
    process, path = holder
    told = []
    with pytest.raises(OhmykubeError) as caught, lock.hold(path, "down", timeout=0.3, waiting=told.append):
        pytest.fail("two hold it")
    assert told == [f"`ohmykube up` (process {process.pid})"]
    assert "dev is held by `ohmykube up`" in caught.value.message


def test_who_holds_a_lock_can_be_asked_without_taking_it(holder):
    process, path = holder
    assert lock.holder(path) == f"`ohmykube up` (process {process.pid})"
    process.kill()
    process.wait()
    assert lock.holder(path) == ""
    assert lock.holder(path.with_name("none")) == ""


def test_a_holder_that_has_just_taken_the_lock_is_told_by_its_name_too(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_UNNAMED", PATIENCE)
    path, told = tmp_path / "lock", []
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        named = threading.Timer(0.3, lambda: path.write_text('{"pid": 7, "verb": "up"}'))
        named.start()

        def release(holder):
            told.append(holder)
            fcntl.flock(file, fcntl.LOCK_UN)

        with lock.hold(path, "down", timeout=PATIENCE, waiting=release):
            named.join()
    assert told == ["`ohmykube up` (process 7)"]


def test_one_that_never_says_who_it_is_is_told_after_a_moment(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_UNNAMED", 0.2)
    path, told = tmp_path / "lock", []
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OhmykubeError), lock.hold(path, "down", timeout=0.5, waiting=told.append):
            pass
    assert told == ["another process"]


def test_who_held_it_before_is_forgotten(tmp_path):
    with lock.hold(tmp_path / "lock", "up", timeout=1, waiting=print):
        pass
    assert (tmp_path / "lock").read_text() == ""


def test_a_killed_holder_holds_nothing(holder):
    process, path = holder
    process.kill()
    with lock.hold(path, "down", timeout=PATIENCE, waiting=lambda _: None):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_lock_whose_folder_was_removed_is_taken_anew(tmp_path):
    path = tmp_path / "dev" / "lock"
    with lock.hold(path, "down", timeout=1, waiting=print):
        path.unlink()
        path.parent.rmdir()
        with lock.hold(path, "up", timeout=1, waiting=print):
            assert path.exists()


def test_what_the_next_one_makes_is_not_removed_with_the_old(monkeypatch):
    """As an `up` does that has waited for a `down`."""
    monkeypatch.setattr(lock, "_POLL", 0.001)
    home = Home.from_environment()
    folder, told = home.cluster("dev"), threading.Event()

    def next_one():
        with lock.hold(folder.path / "lock", "up", timeout=PATIENCE, waiting=lambda _: told.set()):
            folder.write_spec({"new": True})
            time.sleep(0.2)

    waiter = threading.Thread(target=next_one)
    with lock.hold(folder.path / "lock", "down", timeout=1, waiting=print):
        folder.write_spec({"old": True})
        for number in range(3000):
            (folder.path / f"{number}").write_text("")
        waiter.start()
        assert told.wait(PATIENCE)
        folder.remove()
    waiter.join()
    assert folder.spec_file.read_text() == "new: true\n"
    assert [path.name for path in folder.path.parent.iterdir()] == ["dev"]


def test_a_killed_removal_is_ended_by_the_next_one_and_is_no_cluster():
    home = Home.from_environment()
    folder = home.cluster("dev")
    rest = folder.path.with_name(".dev")
    rest.mkdir(parents=True)
    (rest / "cluster.yaml").write_text("")
    assert home.clusters() == []
    folder.sweep()
    assert not rest.exists()
