"""ansible-playbook itself, as far as it comes without a machine: it waits for who reaches them."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

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
