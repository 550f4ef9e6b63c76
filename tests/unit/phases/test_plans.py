"""up and down as they run, with fakes at the protocols."""

import os
import signal
import threading
import time

import pytest

from ohmykube.errors import ErrorGroup, OhmykubeError
from ohmykube.model.spec import AddonWish
from ohmykube.phases import base
from ohmykube.phases.artifacts import FetchImages
from ohmykube.phases.kubernetes import InstallKubernetes
from ohmykube.phases.machines import MakeMachines, ReachMachines, RecordWish
from ohmykube.phases.parallel import in_parallel
from ohmykube.phases.preflight import Preflight
from ohmykube.phases.teardown import CleanUp, DeleteMachines, ResetMachines
from ohmykube.plans import DOWN, UP
from tests.patience import PATIENCE
from tests.unit.phases.fakes import without


def without_ssh(plan):
    """The plan up to where a real machine must answer."""
    return without(plan, "ssh", "Kubernetes", "kubeconfig")


def test_the_plans_read_as_a_story():
    assert [phase.title for phase in UP] == [
        "check this computer",
        "record the cluster",
        "machines and packages and images",
        "ssh and Kubernetes",
        "remove nodes",
        "kubeconfig",
    ]
    assert [phase.title for phase in DOWN] == ["reset the machines", "delete the machines", "clean up"]


def test_up_makes_machines_and_records_them(context):
    base.execute(without_ssh(UP), context)
    assert sorted(context.provider.existing) == ["dev-control-plane-1", "dev-worker-1", "dev-worker-2"]
    assert context.folder.exists()
    assert context.folder.identity_file.stat().st_mode & 0o777 == 0o600
    state = context.folder.read_state()
    assert [record.role for record in state.machines] == ["control-plane", "worker", "worker"]
    assert state.machines[1].variables == {"node_of": "dev-worker-1"}
    assert context.changed > 0


def test_a_second_up_changes_nothing(context):
    base.execute(without_ssh(UP), context)
    context.changed = 0
    key = context.folder.identity_file.read_bytes()
    base.execute(without_ssh(UP), context)
    assert context.changed == 0
    assert context.folder.identity_file.read_bytes() == key


def test_images_are_pulled_once_and_what_cannot_be_is_told_and_left_to_the_nodes(context):
    words = "reg.test cannot be reached: no route."
    reason = OhmykubeError("registry.unreachable", words, context={"image": "reg.test/a:1"})
    context.artifacts.images, context.artifacts.refused = 7, [reason]
    base.execute([FetchImages()], context)
    assert context.changed == 7
    notes = [event.text for event in context.seen if event.kind == "note"]
    assert notes == [f"reg.test/a:1 is left to the nodes: {words}"]
    base.execute([FetchImages()], context)
    assert context.changed == 7
    context.artifacts.refused = []
    base.execute([FetchImages()], context)
    assert context.seen[-1].kind == "skip"


def test_a_failing_preflight_makes_nothing_and_names_everything(context):
    context.provider.problems = [OhmykubeError("a", "no disk")]
    context.artifacts.absent = [OhmykubeError("b", "no kubeadm")]
    with pytest.raises(ErrorGroup) as caught:
        base.execute(UP, context)
    assert [error.code for error in caught.value.errors] == ["a", "b"]
    assert not context.folder.exists()
    assert context.provider.existing == {}
    assert [event.kind for event in context.seen] == ["start", "fail"]


def test_one_machine_that_cannot_be_made_does_not_stop_the_others(context):
    context.provider.refuse = {"dev-worker-1"}
    with pytest.raises(OhmykubeError, match="dev-worker-1 cannot be made"):
        base.execute([Preflight(), RecordWish(), MakeMachines()], context)
    assert sorted(context.provider.existing) == ["dev-control-plane-1", "dev-worker-2"]
    context.provider.refuse = set()
    base.execute([Preflight(), RecordWish(), MakeMachines()], context)
    assert len(context.provider.existing) == 3


def test_down_leaves_nothing(context):
    base.execute(without_ssh(UP), context)
    base.execute(DOWN, context)
    assert context.provider.existing == {}
    assert context.provider.calls[-1] == "cleanup"
    assert context.playbooks.ran == []
    assert not context.folder.path.exists()


def test_a_machine_that_cannot_be_deleted_stays_recorded(context):
    base.execute(without_ssh(UP), context)
    context.provider.refuse = {"dev-worker-1"}
    with pytest.raises(OhmykubeError) as caught:
        base.execute([ResetMachines(), DeleteMachines(), CleanUp()], context)
    assert caught.value.exit_code == 3
    assert list(context.provider.existing) == ["dev-worker-1"]
    assert context.folder.exists()


def test_machines_that_outlive_the_cluster_are_reset_first(context):
    context.provider.owns_machines = False
    base.execute(without_ssh(UP), context)
    base.execute(DOWN, context)
    assert context.playbooks.ran == ["reset"]


def test_only_machines_that_were_taken_are_reset(context):
    """`up` died when it had taken one of three."""
    context.provider.owns_machines = False
    base.execute([RecordWish()], context)
    context.provider.existing = {"dev-worker-1": "running"}
    base.execute([ResetMachines()], context)
    assert context.playbooks.ran == ["reset"]
    assert [record.name for record in context.folder.read_state().machines] == ["dev-worker-1"]


def test_a_machine_that_does_not_answer_keeps_the_cluster(context):
    """It is still to be reset; when it never will be, the hint says how to let it go."""
    context.provider.owns_machines = False
    base.execute(without_ssh(UP), context)
    context.provider.existing["dev-worker-2"] = "broken"
    context.playbooks.fails = OhmykubeError("node.unreachable", "no answer", context={"node": "dev-worker-2"})
    with pytest.raises(OhmykubeError) as caught:
        base.execute(DOWN, context)
    assert caught.value.exit_code == 3
    assert f"ssh-keygen -R 10.0.0.3 -f {context.folder.known_hosts}" in caught.value.hint
    assert len(context.provider.existing) == 3
    assert context.folder.exists()


def test_phases_together_all_finish_before_an_error_is_raised():
    done = []

    def work(item):
        if item == 1:
            raise OhmykubeError("x", "one failed")
        time.sleep(0.05)
        done.append(item)

    with pytest.raises(OhmykubeError, match="one failed"):
        in_parallel([1, 2, 3], work, workers=3)
    assert sorted(done) == [2, 3]


def test_ctrl_c_reaches_phases_that_run_together(context, request):
    """Else it would wait for the last image to be pulled."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    ended = []

    class Endless:
        title = "endless"

        def needed(self, context):
            return True

        def run(self, context):
            time.sleep(0.2)  # both run, and the main thread waits for them
            deadline = time.monotonic() + PATIENCE
            for _ in range(5):  # Python drops one that comes while it frees an object, as a person would notice
                os.kill(os.getpid(), signal.SIGINT)
                if context.interrupted.wait(1):
                    break
            try:
                while time.monotonic() < deadline:
                    context.step(self.title, "one more")
                    time.sleep(0.01)
            except KeyboardInterrupt:
                ended.append(time.monotonic() < deadline)
                raise

    with pytest.raises(KeyboardInterrupt):
        base.execute([base.Together((Endless(), Preflight()))], context)
    assert ended == [True]


class Named:
    """A phase that does something."""

    def __init__(self, title, work):
        self.title, self.work = title, work

    def needed(self, context):
        return True

    def run(self, context):
        self.work()


def test_a_playbook_begins_when_the_phase_before_it_has_ended(context):
    order = []
    first = Named("ssh", lambda: (time.sleep(0.1), order.append("reached")))
    then = Named("Kubernetes", lambda: (order.append("started"), context.play("Kubernetes", "site")))
    base.execute([base.Overlapped(first, then)], context)
    assert order == ["started", "reached"]
    told = [(event.kind, event.phase) for event in context.seen]
    assert told.index(("done", "ssh")) < told.index(("step", "Kubernetes")) < told.index(("done", "Kubernetes"))
    assert context.before is None


def test_what_cannot_be_reached_ends_the_playbook(context):
    def refuse():
        raise OhmykubeError("ssh.unreachable", "no answer")

    then = Named("Kubernetes", lambda: context.play("Kubernetes", "site"))
    with pytest.raises(OhmykubeError, match="no answer"):
        base.execute([base.Overlapped(Named("ssh", refuse), then)], context)
    assert context.playbooks.ran == []
    ends = {event.phase: event.kind for event in context.seen}
    assert ends == {"ssh": "fail", "Kubernetes": "skip"}


def test_a_playbook_that_is_interrupted_ends_the_wait_for_machines(context):
    def interrupt():
        raise KeyboardInterrupt

    def wait():
        while True:
            context.go_on()
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        base.execute([base.Overlapped(Named("ssh", wait), Named("Kubernetes", interrupt))], context)


def test_no_more_than_asked_for_at_once():
    now, most, guard = 0, 0, threading.Lock()

    def work(_):
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with guard:
            now -= 1

    in_parallel(list(range(12)), work, workers=3)
    assert most <= 3


@pytest.mark.parametrize(("state", "words"), [({"dev-worker-1": "stopped"}, "is stopped"), ({}, "is gone")])
def test_a_machine_that_does_not_run_any_more_is_not_waited_for(context, state, words):
    context.provider.existing = {machine.name: "running" for machine in context.machines}
    del context.provider.existing["dev-worker-1"]
    context.provider.existing |= state
    with pytest.raises(OhmykubeError, match=f"dev-worker-1 does not run any more, but {words}") as caught:
        base.execute([ReachMachines()], context)
    assert caught.value.code == "machine.stopped"


def test_add_ons_that_a_wish_no_longer_has_are_known_until_they_are_gone(context):
    def wishes(*names):
        spec = context.cluster.spec.model_copy(update={"addons": tuple(AddonWish(name=name) for name in names)})
        context.cluster = context.cluster.model_copy(update={"spec": spec})

    plan = (RecordWish(), InstallKubernetes())
    wishes("metrics-server")
    base.execute(plan, context)
    assert context.folder.read_state().addons == ("metrics-server",)
    wishes()
    context.playbooks.fails = OhmykubeError("task.failed", "no")
    with pytest.raises(OhmykubeError):
        base.execute(plan, context)
    assert context.folder.read_state().addons == ("metrics-server",)  # the next one takes it away
    context.playbooks.fails = None
    base.execute(plan, context)
    assert context.folder.read_state().addons == ()
