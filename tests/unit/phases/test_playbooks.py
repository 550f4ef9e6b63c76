"""ansible-playbook itself, as far as it comes without a machine: it waits for who reaches them."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from ohmykube.ansible.playbooks import AnsiblePlaybooks
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import SshTarget
from ohmykube.phases.machines import save
from tests.patience import PATIENCE, soon


@pytest.fixture
def playbooks(context):
    context.folder.make()
    context.folder.write_spec(context.cluster.as_data())
    return AnsiblePlaybooks(
        folder=context.folder, home=context.folder.path.parents[1], offline=True, allow_unverified=False, forks=1
    )


@pytest.fixture
def silent(context):
    """Machines that take connections and say nothing: a task is busy with one for ten seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        files = context.folder.path / "key", context.folder.path / "known_hosts"
        context.provider.ssh = SshTarget("127.0.0.1", "nobody", *files, port=server.getsockname()[1])
        context.provider.existing = dict.fromkeys((machine.name for machine in context.machines), "running")
        yield


def run(playbooks, **options):
    return playbooks.run("hooks", lambda *_: None, variables={"customize_moment": "preSystem"}, **options)


def test_machines_are_looked_at_when_the_phase_before_has_ended(context, silent, playbooks):
    """The state is written by that phase: without it there would be no inventory."""

    def reach():
        time.sleep(2)  # Ansible is there before
        save(context)

    with ThreadPoolExecutor(1) as pool:
        assert run(playbooks, before=pool.submit(reach)) == 0


def test_an_inventory_that_cannot_be_read_is_an_error(context, playbooks):
    save(context)  # no machine has an address
    with pytest.raises(OhmykubeError, match="ended as failed") as raised:
        run(playbooks)
    assert "no address is known for dev-control-plane-1" in raised.value.context["output"]


def test_its_error_ends_ansible_within_seconds(playbooks):
    before: Future[None] = Future()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, playbooks, before=before)
        time.sleep(2)
        assert not running.done()
        before.set_exception(OhmykubeError("ssh.unreachable", "no answer"))
        with pytest.raises(OhmykubeError, match="no answer"):
            running.result(timeout=PATIENCE)


ALONE = """
import sys
from concurrent.futures import Future
from pathlib import Path
from ohmykube.ansible.playbooks import AnsiblePlaybooks
from ohmykube.store.home import Home
home, playbook = Path(sys.argv[1]), sys.argv[2]
playbooks = AnsiblePlaybooks(Home(home).cluster("dev"), home, offline=True, allow_unverified=False, forks=1)
playbooks.run(playbook, lambda *_: None, before=None if playbook == "reset" else Future())
"""


@pytest.fixture
def alone(playbooks):
    """Starts a playbook from a process that can be killed: `site` waits for machines for ever, `reset` does tasks."""
    started = []

    def start(playbook):
        paths = os.pathsep.join(path for path in sys.path if path)
        words = [sys.executable, "-c", ALONE, str(playbooks.home), playbook]
        started.append(subprocess.Popen(words, env={**os.environ, "PYTHONPATH": paths}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def left(folder):
    """The first words of processes that have to do with a cluster."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_text()
        except OSError:
            continue
        if str(folder) in words:
            found.append(words.split("\0")[0])
    return found


@pytest.mark.parametrize("seconds", [0, 3])
def test_ansible_does_not_outlive_who_was_killed(context, alone, seconds):
    """Neither while it begins, when it does not hear of it, nor while it waits."""
    killed = alone("site")
    assert soon(lambda: left(context.folder.path))
    time.sleep(seconds)
    assert left(context.folder.path)
    killed.kill()
    assert soon(lambda: not left(context.folder.path))


def test_neither_does_a_task(context, silent, alone):
    save(context)
    killed = alone("reset")
    assert soon(lambda: "ssh" in left(context.folder.path))
    killed.kill()
    assert soon(lambda: not left(context.folder.path))


def test_tasks_end_with_ansible_before_whoever_ended_it_goes_on(context, silent, playbooks):
    save(context)
    error = OhmykubeError("kubernetes.vain", "it makes no sense any more")
    with pytest.raises(OhmykubeError, match="no sense") as raised:
        playbooks.run("reset", lambda *_: None, stop=lambda: error if "ssh" in left(context.folder.path) else None)
    assert left(context.folder.path) == []
    assert "-reset" in raised.value.context["log"]
