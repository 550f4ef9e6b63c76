"""ansible-playbook itself, as far as it comes without a machine: it waits for who reaches them."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from ohmykube.ansible.playbooks import AnsiblePlaybooks
from ohmykube.errors import OhmykubeError
from ohmykube.phases.machines import save


@pytest.fixture
def playbooks(context):
    context.folder.make()
    context.folder.write_spec(context.cluster.as_data())
    return AnsiblePlaybooks(
        folder=context.folder, home=context.folder.path.parents[1], offline=True, allow_unverified=False, forks=1
    )


def run(playbooks, **options):
    return playbooks.run("hooks", lambda *_: None, variables={"customize_moment": "preSystem"}, **options)


def test_machines_are_looked_at_when_the_phase_before_has_ended(context, playbooks):
    """The state is written by that phase: without it there would be no inventory."""

    def reach():
        time.sleep(2)  # Ansible is there before
        save(context)

    with ThreadPoolExecutor(1) as pool:
        assert run(playbooks, before=pool.submit(reach)) == 0


def test_its_error_ends_ansible_within_seconds(playbooks):
    before: Future[None] = Future()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, playbooks, before=before)
        time.sleep(2)
        assert not running.done()
        before.set_exception(OhmykubeError("ssh.unreachable", "no answer"))
        with pytest.raises(OhmykubeError, match="no answer"):
            running.result(timeout=20)


ALONE = """
import sys
from concurrent.futures import Future
from pathlib import Path
from ohmykube.ansible.playbooks import AnsiblePlaybooks
from ohmykube.store.home import Home
home = Path(sys.argv[1])
playbooks = AnsiblePlaybooks(Home(home).cluster("dev"), home, offline=True, allow_unverified=False, forks=1)
playbooks.run("site", lambda *_: None, before=Future())
"""


def waiting(folder):
    """Processes of ansible-playbook that belong to a cluster."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_text()
        except OSError:
            continue
        if "ansible-playbook" in words and str(folder) in words:
            found.append(int(each.parent.name))
    return found


def test_ansible_does_not_outlive_who_was_killed(context, playbooks):
    paths = os.pathsep.join(path for path in sys.path if path)
    killed = subprocess.Popen(
        [sys.executable, "-c", ALONE, str(playbooks.home)], env={**os.environ, "PYTHONPATH": paths}
    )
    deadline = time.monotonic() + 30
    while not waiting(context.folder.path) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    assert waiting(context.folder.path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    while waiting(context.folder.path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert waiting(context.folder.path) == []
