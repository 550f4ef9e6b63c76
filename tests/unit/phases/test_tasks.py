"""What phases tell of nodes: that something begins, and how it ended."""

import sys
from contextlib import contextmanager

import pytest

from ohmykube.ansible.playbooks import _Listener
from ohmykube.errors import OhmykubeError
from ohmykube.phases import base
from ohmykube.phases.addons import ApplyAddons
from ohmykube.phases.kubernetes import InstallKubernetes
from ohmykube.phases.machines import MakeMachines
from ohmykube.phases.nodes import JoinNodes
from ohmykube.phases.power import ResumeCluster
from tests.unit.phases.fakes import FakePlaybooks


def test_what_is_begun_on_a_machine_is_ended_too(context):
    base.execute([MakeMachines()], context)
    told = [(event.kind, event.text, event.status) for event in context.seen if event.node == "dev-worker-1"]
    assert told == [
        ("step", "create", ""), ("task", "create", "ok"), ("step", "start", ""), ("task", "start", "ok"),
    ]  # fmt: skip


def test_what_fails_on_a_machine_has_failed(context):
    context.provider.refuse = {"dev-worker-1"}
    with pytest.raises(OhmykubeError):
        base.execute([MakeMachines()], context)
    told = [(event.kind, event.text, event.status) for event in context.seen if event.node == "dev-worker-1"]
    assert told == [("step", "create", ""), ("task", "create", "failed")]


def test_a_playbook_is_told_as_tasks_of_the_phase_and_counted(context):
    context.playbooks = FakePlaybooks(changes=3)
    context.play("Kubernetes", "site", limit=["dev-worker-1"])
    assert context.changed == 3
    assert context.playbooks.told == (None, ["dev-worker-1"])
    assert [(event.kind, event.phase, event.status) for event in context.seen] == [
        ("step", "Kubernetes", ""), ("task", "Kubernetes", "changed"),
    ]  # fmt: skip


class StoppedPlaybooks(FakePlaybooks):
    """A machine has gone off while the task ran."""

    def run(self, playbook, on_step, *, stop, **options):
        super().run(playbook, on_step, **options)
        raise stop()


@pytest.mark.parametrize("phase", [InstallKubernetes(), JoinNodes(), ResumeCluster(), ApplyAddons()])
def test_phases_that_watch_machines_tell_tasks_and_end_with_what_they_see(context, monkeypatch, phase):
    gone = OhmykubeError("machine.stopped", "dev-worker-1 does not run any more")

    @contextmanager
    def watching(*_):
        yield lambda: gone

    monkeypatch.setattr(sys.modules[type(phase).__module__], "watching", watching)
    context.provider.existing = {machine.name: "running" for machine in context.machines}
    context.playbooks = StoppedPlaybooks()
    with pytest.raises(OhmykubeError) as caught:
        phase.run(context)
    assert caught.value is gone
    told = [(event.kind, event.phase, event.node, event.status) for event in context.seen]
    assert told == [("step", phase.title, "dev-worker-1", ""), ("task", phase.title, "dev-worker-1", "changed")]


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("runner_on_ok", {"res": {"changed": True}}, "changed"),
        ("runner_on_ok", {"res": {"changed": False}}, "ok"),
        ("runner_on_ok", {}, "ok"),
        ("runner_on_skipped", {}, "skipped"),
        ("runner_on_failed", {"ignore_errors": True}, "ok"),
        ("runner_on_failed", {"res": {"msg": "no"}}, "failed"),
        ("runner_on_unreachable", {"res": {"msg": "no"}}, "unreachable"),
        ("runner_item_on_ok", {}, None),
        ("playbook_on_task_start", {}, None),
    ],
)
def test_how_ansible_says_that_a_task_has_ended(tmp_path, kind, data, status):
    begun, ended = [], []
    listener = _Listener(lambda *words: begun.append(words), lambda *words: ended.append(words), tmp_path)
    listener({"event": "runner_on_start", "event_data": {"host": "w1", "task": "Run containerd"}})
    listener({"event": kind, "event_data": {"host": "w1", "task": "Run containerd", "duration": 1.5, **data}})
    assert begun == [("w1", "Run containerd")]
    assert ended == ([("w1", "Run containerd", status, 1.5)] if status else [])
    assert bool(listener.errors) == (status in ("failed", "unreachable"))
