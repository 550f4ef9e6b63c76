"""Control planes that come and go: who is told of it, and who does it."""

from dataclasses import replace

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import wanted
from ohmykube.model.members import Addition, add, remove
from ohmykube.phases import base
from ohmykube.phases.machines import save
from ohmykube.phases.nodes import JoinNodes, Removal, roll_back
from ohmykube.plans import ADD, delete

ONE, TWO, THREE, FOUR, FIVE = (f"dev-control-plane-{number}" for number in range(1, 6))


def cluster_of(context, planes):
    """The context of a cluster that runs, with so many control planes."""
    if planes > 1:
        context.cluster = add(context.cluster, Addition(planes - 1, role="control-plane"))
        context.machines = wanted(context.cluster)
    context.folder.make()
    context.folder.write_spec(context.cluster.as_data())
    context.provider.existing = {machine.name: "running" for machine in context.machines}
    save(context)
    return context


def adding(context, addition):
    """The context of an `add`, whose machines are there."""
    wish = add(context.cluster, addition)
    before = {machine.name for machine in context.machines}
    names = tuple(machine.name for machine in wanted(wish) if machine.name not in before)
    context.provider.existing |= dict.fromkeys(names, "running")
    state = replace(context.state, adding=names)
    return replace(context, cluster=wish, machines=wanted(wish), names=names, state=state)


@pytest.fixture
def joined(context):
    """joined(planes, addition, *stopped) → whom the playbook was limited to."""

    def call(planes, addition, *stopped):
        cluster_of(context, planes).provider.existing |= dict.fromkeys(stopped, "stopped")
        base.execute([JoinNodes()], adding(context, addition))
        assert context.playbooks.ran == ["add"]
        return list(context.playbooks.told[1])

    return call


def test_every_node_is_told_when_one_becomes_one_of_several(joined):
    assert joined(1, Addition(2, role="control-plane")) == []


def test_where_several_share_an_address_already_the_others_are_left_alone(joined):
    assert joined(3, Addition(2, role="control-plane")) == [FOUR, FIVE, ONE]


def test_workers_join_by_the_first_control_plane_that_runs(joined):
    assert joined(3, Addition(1), ONE) == ["dev-worker-3", TWO]


def test_a_worker_of_one_control_plane_is_nobody_elses_affair(joined):
    assert joined(1, Addition(1)) == ["dev-worker-3", ONE]


def test_the_address_is_written_down_with_the_machines(context):
    cluster_of(context, 3)
    assert context.folder.read_state().api_address == "10.0.0.254"


@pytest.mark.parametrize(
    ("gone", "stopped", "staying"),
    [((ONE,), (), [TWO, THREE]), ((TWO,), (TWO,), [ONE, THREE]), ((THREE,), (ONE,), [TWO])],
)
def test_control_planes_that_stay_and_run_take_the_others_out(context, gone, stopped, staying):
    cluster_of(context, 3).provider.existing |= dict.fromkeys(stopped, "stopped")
    base.execute(delete(Removal(gone, remove(context.cluster, gone))), context)
    variables, limit = context.playbooks.told
    assert limit == staying
    assert variables["remove_nodes"] == list(gone)
    assert variables["remove_dead"] == [name for name in gone if name in stopped]
    assert gone[0] not in context.provider.existing
    absent = "".join(f"    - {name[-1]}\n" for name in gone)
    assert f"    count: 2\n    absent:\n{absent}" in context.folder.spec_file.read_text()


def test_control_planes_that_did_not_become_ready_are_taken_out_by_those_before_them(context):
    before = cluster_of(context, 1).cluster
    failed = adding(context, Addition(2, role="control-plane"))
    base.execute(ADD[1:2], failed)
    told = roll_back(failed, before, (), OhmykubeError("task.failed", "no"))
    assert f"{TWO}, {THREE} were taken away again" in told.message
    assert context.playbooks.told[1] == [ONE]
    assert context.playbooks.told[0]["remove_force"] is True
    assert context.folder.read_state().adding == ()
    assert failed.cluster == before


def test_of_two_one_that_is_ready_stays_and_the_number_of_the_other_is_kept(context):
    before = cluster_of(context, 1).cluster
    partly = adding(context, Addition(2, role="control-plane"))
    base.execute(ADD[1:2], partly)
    told = roll_back(partly, before, (TWO,), OhmykubeError("task.failed", "no"))
    assert told.exit_code == 3
    assert context.playbooks.told[1] == [ONE, TWO]
    assert partly.cluster.spec.control_plane.absent == (3,)


def test_where_all_are_ready_nothing_is_taken_away_and_the_same_verb_finishes(context):
    before = cluster_of(context, 1).cluster
    late = adding(context, Addition(2, role="control-plane"))
    base.execute(ADD[1:2], late)
    error = OhmykubeError("ssh.unreachable", "no kubeconfig")
    assert roll_back(late, before, late.names, error) is error
    assert context.playbooks.ran == []
    assert {TWO, THREE} < set(context.provider.existing)
    assert context.folder.read_state().adding == (TWO, THREE)
    assert "count: 3" in context.folder.spec_file.read_text()


def test_where_nobody_who_stays_runs_nothing_is_taken_out(context):
    cluster_of(context, 3).provider.existing |= dict.fromkeys((ONE, TWO), "stopped")
    with pytest.raises(OhmykubeError, match="no control plane that stays is running") as caught:
        base.execute(delete(Removal((THREE,), remove(context.cluster, [THREE]))), context)
    assert "ohmykube start" in caught.value.hint
    assert context.playbooks.ran == []
    assert context.provider.existing[THREE] == "running"
