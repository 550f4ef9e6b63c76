"""Machines that go off while a playbook runs."""

import time

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.phases.watch import watching
from tests.patience import soon

ONE, TWO = "dev-worker-1", "dev-worker-2"


@pytest.fixture
def running(context):
    context.provider.existing = {machine.name: "running" for machine in context.machines}
    return context


def looks(provider, answers):
    """Machines as they are at each look; the last answer stays. How many looks there were."""
    taken = []
    real = provider.machines

    def machines():
        answer = answers[min(len(taken), len(answers) - 1)]
        taken.append(answer)
        if isinstance(answer, OhmykubeError):
            raise answer
        provider.existing |= answer
        return real()

    provider.machines = machines
    return taken


def test_nothing_is_said_while_all_run(running):
    taken = looks(running.provider, [{}])
    with watching(running, interval=0.001) as stop:
        assert soon(lambda: len(taken) > 5)
        assert stop() is None


@pytest.mark.parametrize("how", ["stopped", "gone"])
def test_a_machine_that_has_gone_off_is_named(running, how):
    with watching(running, interval=0.001) as stop:
        if how == "gone":
            del running.provider.existing[TWO]
        else:
            running.provider.existing[TWO] = how
        error = soon(stop)
    assert error.code == "machine.stopped"
    assert error.message == f"{TWO} does not run any more, but is {how}"


def test_others_are_not_looked_at(running):
    running.provider.existing[TWO] = "stopped"
    taken = looks(running.provider, [{}])
    with watching(running, [ONE], interval=0.001) as stop:
        assert soon(lambda: len(taken) > 5)
        assert stop() is None


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param([{ONE: "stopped"}, {ONE: "running"}], id="it boots anew"),
        pytest.param([{ONE: "stopped"}, {ONE: "running", TWO: "stopped"}, {TWO: "running"}], id="two do"),
        pytest.param([OhmykubeError("fake.slow", "no answer")], id="nobody can say"),
        pytest.param([{ONE: "broken"}], id="it does not answer"),
    ],
)
def test_what_does_not_mean_that_it_is_off(running, moment):
    taken = looks(running.provider, moment)
    with watching(running, interval=0.001) as stop:
        assert soon(lambda: len(taken) > 8)
        assert stop() is None


def test_nobody_looks_any_more_afterwards(running):
    taken = looks(running.provider, [{}])
    with watching(running, interval=0.001):
        assert soon(lambda: taken)
    time.sleep(0.05)
    seen = len(taken)
    time.sleep(0.1)
    assert len(taken) == seen
