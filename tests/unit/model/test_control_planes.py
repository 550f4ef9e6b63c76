"""Several control planes in a wish: how many there may be, who comes and goes, and what they share."""

import pytest

from ohmykube.errors import ErrorGroup, OhmykubeError
from ohmykube.model.changes import refuse
from ohmykube.model.document import Document, parse
from ohmykube.model.load import build
from ohmykube.model.machines import wanted
from ohmykube.model.members import Addition, add, is_gone, remove, with_gaps
from ohmykube.model.plan import refusals
from ohmykube.model.validate import warnings

DEFAULTS = {("spec", "provider"): "fake", ("spec", "kubernetesVersion"): "v1.36.4"}
VERSIONS = ("v1.36.4",)
THREE = "spec: {controlPlane: {count: 3}}"


def cluster(text="spec: {}"):
    return build("dev", document=parse(text, "dev.yaml"), defaults=DEFAULTS, supported_versions=VERSIONS)


def checked(wish):
    """As it is read back from its file, with all that is asked of one."""
    return build("dev", document=Document(wish.as_data()), defaults={}, supported_versions=VERSIONS)


def planes(wish):
    return [machine.name.removeprefix("dev-control-plane-") for machine in wanted(wish) if machine.role != "worker"]


def problems(text):
    with pytest.raises(OhmykubeError) as caught:
        cluster(text)
    assert caught.value.exit_code == 2
    errors = caught.value.errors if isinstance(caught.value, ErrorGroup) else [caught.value]
    return [f"{error.message} | {error.hint}" for error in errors]


def more(wish, count, **values):
    return add(wish, Addition(count, values=values, role="control-plane"))


def test_one_becomes_one_of_three_and_nothing_else_changes():
    before = cluster("spec: {controlPlane: {cpu: 3, memory: 6GiB}, workers: [{name: worker, count: 1}]}")
    wish = more(before, 2)
    assert planes(checked(wish)) == ["1", "2", "3"]
    assert wish.spec.workers == before.spec.workers
    assert {(machine.cpu, machine.memory) for machine in wanted(wish)[:3]} == {(3, 6 * 2**30)}


def test_control_planes_are_alike():
    assert planes(more(cluster(), 2, cpu=2, memory="4GiB")) == ["1", "2", "3"]  # as they are
    with pytest.raises(OhmykubeError, match="the group of control planes of dev has other nodes than with cpu 4") as no:
        more(cluster(), 2, cpu=4)
    assert no.value.code == "group.differs"
    with pytest.raises(OhmykubeError, match="memory: "):
        more(cluster(), 2, memory="much")


def test_two_are_no_better_than_one_and_are_not_added():
    with pytest.raises(OhmykubeError) as caught:
        checked(more(cluster(), 1))
    assert "2 control planes bear the loss of no more of them than 1" in caught.value.message
    assert caught.value.hint.endswith("1 or 3 is what you want")


@pytest.mark.parametrize("number", ["1", "2", "3"])
def test_whichever_goes_the_others_keep_their_names_and_its_number_is_used_again(number):
    """Also the last one: the two that are left are two of three, and not a wish for two."""
    wish = remove(cluster(THREE), [f"dev-control-plane-{number}"])
    left = [each for each in ("1", "2", "3") if each != number]
    assert planes(wish) == left
    assert wish.spec.control_plane.absent == (int(number),)
    assert checked(wish) == wish
    assert is_gone(wish, f"dev-control-plane-{number}")
    assert planes(checked(more(wish, 1))) == ["1", "2", "3"]


def test_several_that_go_are_all_told_of():
    wish = remove(cluster("spec: {controlPlane: {count: 5}}"), ["dev-control-plane-4", "dev-control-plane-5"])
    assert (wish.spec.control_plane.count, wish.spec.control_plane.absent) == (3, (4, 5))
    wish = remove(checked(wish), ["dev-control-plane-2", "dev-control-plane-3"])
    assert planes(wish) == ["1"]
    assert planes(checked(more(wish, 4))) == ["1", "2", "3", "4", "5"]


def test_a_worker_that_goes_leaves_the_control_planes_as_they_are():
    assert remove(cluster(THREE), ["dev-worker-1"]).spec.control_plane == cluster(THREE).spec.control_plane


def test_the_last_control_plane_stays():
    three = [f"dev-control-plane-{number}" for number in (1, 2, 3)]
    alone = remove(cluster(THREE), [three[0], three[2]])
    for wish, names in ((cluster(THREE), three), (alone, [three[1]])):
        with pytest.raises(OhmykubeError) as caught:
            remove(wish, names)
        assert caught.value.code == "node.last"


def test_what_is_added_makes_an_odd_number_also_where_one_is_gone():
    left = remove(cluster("spec: {controlPlane: {count: 5}}"), ["dev-control-plane-4", "dev-control-plane-5"])
    with pytest.raises(OhmykubeError, match="4 control planes bear the loss of no more of them than 3") as caught:
        more(left, 1)
    assert (caught.value.code, caught.value.hint) == ("spec.invalid", "3 or 5 is what you want")
    assert planes(more(left, 2)) == ["1", "2", "3", "4", "5"]
    assert planes(more(remove(left, ["dev-control-plane-2"]), 1)) == ["1", "2", "3"]


def test_an_even_number_is_warned_of_while_it_lasts():
    three = cluster(THREE)
    assert warnings(three) == warnings(cluster()) == []
    (words,) = warnings(remove(three, ["dev-control-plane-2"]))
    assert "2 control planes bear the loss of no more of them than 1" in words
    assert "`ohmykube add --role control-plane --name dev`" in words
    (words,) = warnings(cluster(static("control-plane", "control-plane", network="apiAddress: 10.0.0.9")))
    assert "add one to spec.hosts, or delete one" in words  # `add` makes machines, and here there are none to make


@pytest.mark.parametrize(("count", "words"), [(2, "1 or 3"), (4, "3 or 5"), (6, "5 or 7")])
def test_an_even_number_of_control_planes_is_refused(count, words):
    (found,) = problems(f"spec: {{controlPlane: {{count: {count}}}}}")
    assert "spec.controlPlane.count" in found
    assert f"no more of them than {count - 1}" in found
    assert words in found


def test_an_even_number_is_what_is_left_of_an_odd_one():
    assert planes(cluster("spec: {controlPlane: {count: 2, absent: [2]}}")) == ["1", "3"]
    for count in (1, 3, 5, 7, 9):
        assert len(planes(cluster(f"spec: {{controlPlane: {{count: {count}}}}}"))) == count


def test_a_file_that_says_nothing_of_gaps_keeps_the_names_of_control_planes():
    before = remove(cluster(THREE), ["dev-control-plane-2"])
    assert planes(with_gaps(cluster(THREE), before)) == ["1", "3", "4"]
    said = cluster("spec: {controlPlane: {count: 2, absent: [1]}}")
    assert planes(with_gaps(said, before)) == ["2", "3"]


def static(*roles, network=""):
    hosts = [
        f"{{name: h{number}, address: 10.0.0.{number}, role: {role}}}" for number, role in enumerate(roles, start=1)
    ]
    return f"spec: {{provider: static, hosts: [{', '.join(hosts)}], network: {{loadBalancer: none, {network}}}}}"


def test_hosts_that_exist_share_an_address_that_is_named():
    (found,) = problems(static(*["control-plane"] * 3))
    assert "spec.network.apiAddress" in found
    assert "which address of the hosts' network is free" in found
    wish = cluster(static(*["control-plane"] * 3, network="apiAddress: 10.0.0.9"))
    assert wish.spec.network.api_address == "10.0.0.9"
    assert cluster(static("control-plane", "worker")).spec.network.api_address == "auto"
    assert len(wanted(cluster(static("control-plane", "control-plane", network="apiAddress: 10.0.0.9")))) == 2


def test_hosts_without_a_control_plane_are_no_cluster():
    (found,) = problems(static("worker", "worker"))
    assert "no host has the role control-plane" in found


@pytest.mark.parametrize("address", ["10.0.0", "10.0.0.0/24", "api.example", '""', "'fd00::1'"])
def test_what_is_shared_is_one_address(address):
    assert any("is no IPv4 address" in found for found in problems(f"spec: {{network: {{apiAddress: {address}}}}}"))


def test_machines_that_we_make_need_no_address_named():
    assert cluster(THREE).spec.network.api_address == "auto"


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("apiAddress: 10.9.0.5, addressPool: 10.9.0.1-10.9.0.9", "in the addressPool"),
        ("apiAddress: 10.9.0.5, addressPool: 10.9.0.0/28", "in the addressPool"),
        ("apiAddress: 10.9.0.5, addressPool: 'fd00::1-fd00::9'", ""),
        ("apiAddress: 10.9.0.10, addressPool: 10.9.0.1-10.9.0.9", ""),
        ("apiAddress: 10.9.0.5, addressPool: 10.9.0.1-10.9.0.9, loadBalancer: none", ""),
    ],
)
def test_what_is_shared_is_nobody_elses(network, told):
    spec = f"spec: {{network: {{{network}}}}}"
    if told:
        assert told in "".join(problems(spec))
    else:
        assert cluster(spec).spec.network.api_address != "auto"


def test_what_is_shared_is_no_hosts_own():
    one = cluster(static("control-plane")).spec.hosts[0].address
    told = problems(static("control-plane", "control-plane", "control-plane", network=f"apiAddress: {one}"))
    assert "a host's own" in "".join(told)


def test_more_control_planes_may_come_with_up_and_none_may_go():
    refuse(cluster(), cluster(THREE))
    errors = refusals(cluster(THREE), cluster())
    assert [(error.code, error.exit_code) for error in errors] == [("spec.fixed", 2)] * 2
    assert [error.message for error in errors] == [f"dev-control-plane-{n} would have to go" for n in (2, 3)]
    assert errors[0].hint == "`ohmykube delete dev-control-plane-2 --name dev` takes it out"
    refuse(cluster(THREE), cluster("spec: {controlPlane: {count: 3}, workers: [{name: worker, count: 1}]}"))


def test_hosts_that_exist_go_one_by_one_and_a_worker_becomes_no_control_plane():
    before = cluster(static("control-plane", "worker", "worker", network="apiAddress: 10.0.0.9"))
    (error,) = refusals(before, cluster(static("control-plane", "worker", network="apiAddress: 10.0.0.9")))
    assert "h3 would have to go" in error.message
    raised = static("control-plane", "control-plane", "worker", network="apiAddress: 10.0.0.9")
    (error,) = refusals(before, cluster(raised))
    assert "h2 exists and cannot change its role" in error.message


def test_the_shared_address_is_in_the_certificates_and_stays():
    (error,) = refusals(cluster(), cluster("spec: {network: {apiAddress: 10.0.0.9}}"))
    assert error.context["path"] == "spec.network.apiAddress"
    assert "from auto to 10.0.0.9" in error.message
