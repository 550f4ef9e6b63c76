"""add, delete, stop and start as they run, with fakes at the protocols."""

from dataclasses import replace

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import wanted
from ohmykube.model.members import Addition, add, remove
from ohmykube.phases import base
from ohmykube.phases.machines import save
from ohmykube.phases.nodes import JoinNodes, Removal, RemoveNodes, roll_back
from ohmykube.plans import ADD, START, STOP, UP, delete
from tests.unit.phases.fakes import without


def titles(plan):
    return [phase.title for phase in plan]


@pytest.fixture
def cluster(context):
    """The context of a cluster that runs."""
    context.folder.make()
    context.folder.write_spec(context.cluster.as_data())
    context.provider.existing = {machine.name: "running" for machine in context.machines}
    save(context)
    return context


def grown(context, count=1):
    """The context of an `add`."""
    wish = add(context.cluster, Addition(count))
    names = tuple(f"dev-worker-{number}" for number in range(3, 3 + count))
    return replace(
        context, cluster=wish, machines=wanted(wish), names=names, state=replace(context.state, adding=names)
    )


def test_the_plans_read_as_a_story():
    assert titles(ADD) == [
        "check this computer",
        "record the cluster",
        "machines and packages and images",
        "ssh and Kubernetes",
        "remove nodes",
        "kubeconfig",
    ]
    assert titles(STOP) == ["end power cuts", "stop the machines"]
    assert titles(START) == ["start the machines", "ssh and Kubernetes", "kubeconfig"]
    assert "remove nodes" in titles(UP)


def test_added_nodes_alone_are_made_and_joined(cluster):
    cluster.provider.existing["dev-worker-1"] = "stopped"
    adding = grown(cluster, 2)
    base.execute(without(ADD, "ssh", "kubeconfig"), adding)
    assert cluster.provider.existing["dev-worker-1"] == "stopped"
    assert cluster.provider.existing["dev-worker-4"] == "running"
    assert cluster.playbooks.ran == ["add"]
    assert cluster.playbooks.told[1] == ["dev-worker-3", "dev-worker-4", "dev-control-plane-1"]
    assert adding.folder.read_state().adding == adding.names  # until the verb is over


def test_nodes_that_are_being_added_are_known_to_whoever_comes_after_a_kill(cluster):
    adding = grown(cluster)
    base.execute(ADD[:3], adding)
    assert adding.folder.read_state().adding == ("dev-worker-3",)
    adding.playbooks.fails = OhmykubeError("task.failed", "killed")
    with pytest.raises(OhmykubeError):
        base.execute([JoinNodes()], adding)
    assert adding.folder.read_state().adding == ("dev-worker-3",)


@pytest.mark.parametrize("ready", [(), ("dev-worker-3",)])
def test_what_did_not_become_ready_is_taken_away_again(cluster, ready):
    before, adding = cluster.cluster, grown(cluster, 2)
    base.execute(ADD[:3], adding)
    told = roll_back(adding, before, ready, OhmykubeError("task.failed", "no disk", exit_code=1))
    assert "dev-worker-4 " in told.message
    assert "taken away again" in told.message
    assert told.exit_code == (3 if ready else 1)
    left = {"dev-control-plane-1", "dev-worker-1", "dev-worker-2", *ready}
    assert set(cluster.provider.existing) == left
    assert {machine.name for machine in wanted(adding.cluster)} == left
    assert adding.folder.read_state().adding == ()
    assert cluster.playbooks.told[0]["remove_force"] is True


def test_a_failure_before_anything_was_made_leaves_the_old_wish(cluster):
    before, adding = cluster.cluster, grown(cluster)
    adding.folder.write_spec(adding.cluster.as_data())
    roll_back(adding, before, [], OhmykubeError("preflight", "no memory"))
    assert "count: 2" in adding.folder.spec_file.read_text()
    assert cluster.playbooks.ran == []


def test_a_deleted_node_is_emptied_first_and_forgotten_last(cluster):
    cluster.provider.existing["dev-worker-1"] = "stopped"
    wish = remove(cluster.cluster, ["dev-worker-1"])
    base.execute(delete(Removal(("dev-worker-1",), wish, timeout=9)), cluster)
    assert cluster.playbooks.ran == ["remove"]
    told, _ = cluster.playbooks.told
    assert told == {
        "remove_nodes": ["dev-worker-1"],
        "remove_dead": ["dev-worker-1"],
        "remove_addresses": ["10.0.0.2"],
        "remove_force": False,
        "remove_timeout": 9,
    }
    assert "dev-worker-1" not in cluster.provider.existing
    assert [record.name for record in cluster.folder.read_state().machines] == ["dev-control-plane-1", "dev-worker-2"]
    assert "absent:\n    - 1" in cluster.folder.spec_file.read_text()


def test_a_node_that_could_not_be_emptied_stays(cluster):
    cluster.playbooks.fails = OhmykubeError("node.not-drained", "a pod stays")
    with pytest.raises(OhmykubeError, match="a pod stays"):
        base.execute(delete(Removal(("dev-worker-1",), remove(cluster.cluster, ["dev-worker-1"]))), cluster)
    assert "dev-worker-1" in cluster.provider.existing
    assert "count: 2" in cluster.folder.spec_file.read_text()


def test_a_machine_that_cannot_be_deleted_keeps_the_node_in_the_wish(cluster):
    cluster.provider.refuse = {"dev-worker-1"}
    with pytest.raises(OhmykubeError) as caught:
        base.execute(delete(Removal(("dev-worker-1",), remove(cluster.cluster, ["dev-worker-1"]))), cluster)
    assert caught.value.exit_code == 3
    assert "count: 2" in cluster.folder.spec_file.read_text()


def test_hosts_that_existed_before_are_given_back(cluster):
    cluster.provider.owns_machines = False
    base.execute(delete(Removal(("dev-worker-1",), remove(cluster.cluster, ["dev-worker-1"]))), cluster)
    assert cluster.playbooks.ran == ["remove", "reset"]
    assert cluster.playbooks.told[1] == ("dev-worker-1",)


def test_up_removes_what_the_wish_does_not_have(cluster):
    assert not RemoveNodes().needed(cluster)
    wish = remove(cluster.cluster, ["dev-worker-2"])
    shrunk = replace(cluster, cluster=wish, machines=wanted(wish))
    base.execute([RemoveNodes()], shrunk)
    assert set(cluster.provider.existing) == {"dev-control-plane-1", "dev-worker-1"}


def test_machines_are_switched_off_and_on_in_order(cluster):
    calls = cluster.provider.calls
    base.execute(STOP, cluster)
    assert calls[-1] == "stop dev-control-plane-1"
    assert {record.seen.status for record in cluster.folder.read_state().machines} == {"stopped"}
    assert not STOP[0].needed(cluster)
    calls.clear()
    base.execute(START[:1], cluster)
    assert calls[:2] == ["prepare", "start dev-control-plane-1"]
    assert len(calls) == 4
    calls.clear()
    base.execute(STOP, replace(cluster, names=("dev-worker-2",)))
    assert calls == ["stop dev-worker-2"]


def test_only_machines_that_run_are_asked_how_they_are(cluster):
    cluster.provider.existing["dev-worker-1"] = "stopped"
    base.execute(without(START, "start the machines", "ssh", "kubeconfig"), cluster)
    assert cluster.playbooks.ran == ["site"]
    assert cluster.playbooks.told[1] == ["dev-control-plane-1", "dev-worker-2"]
