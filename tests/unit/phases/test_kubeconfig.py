"""The kubeconfig: read on the first control plane that answers, for where this computer finds the API server."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ohmykube import ssh
from ohmykube.errors import ErrorGroup, OhmykubeError
from ohmykube.model.machines import SshTarget, wanted
from ohmykube.model.members import Addition, add
from ohmykube.phases.kubeconfig import WriteKubeconfig
from ohmykube.phases.machines import save
from tests.unit.phases.fakes import FakeProvider
from tests.unit.store.test_kubeconfig import ADMIN

ONE, TWO, THREE = (f"dev-control-plane-{number}" for number in (1, 2, 3))


class Provider(FakeProvider):
    """Machines with ssh, but for those of `mute`; what is in their network is reached by a port of this computer."""

    user, mute, api = "root", (), ""

    def machines(self):
        def target(machine):
            return SshTarget(machine.name, self.user, Path("key"), Path("known_hosts"))

        seen = super().machines()
        return [replace(m, ssh=None if m.name in self.mute else target(m), api=self.api) for m in seen]

    def reach(self, address, port):
        return f"localhost:2{port} to {address}"


class Nodes:
    """What a command on a node answers. dead: those that do not."""

    def __init__(self):
        self.dead, self.asked = set(), []

    def run(self, target, remote, *, timeout, stdin=""):
        self.asked.append((target.host, list(remote)))
        if target.host in self.dead:
            raise OhmykubeError("ssh.unreachable", f"{target.host} cannot be reached")
        return ADMIN.replace("Q0E=", target.host)


@pytest.fixture
def nodes(monkeypatch):
    made = Nodes()
    monkeypatch.setattr(ssh, "run", made.run)
    return made


@pytest.fixture
def one(context):
    """A cluster of one control plane that runs."""
    context.provider = Provider(existing={machine.name: "running" for machine in context.machines})
    context.folder.make()
    save(context)
    return context


@pytest.fixture
def three(one):
    one.cluster = add(one.cluster, Addition(2, role="control-plane"))
    one.machines = wanted(one.cluster)
    one.provider.existing |= dict.fromkeys((TWO, THREE), "running")
    save(one)
    return one


def server(context):
    """Where it says that the API is, and which node it was read on."""
    WriteKubeconfig().run(context)
    (cluster,) = yaml.safe_load(context.folder.kubeconfig.read_text())["clusters"]
    return cluster["cluster"]["server"], cluster["cluster"]["certificate-authority-data"]


def test_one_control_plane_is_reached_at_its_own_address_or_where_its_provider_says(one, nodes):
    assert server(one) == ("https://10.0.0.1:6443", ONE)
    assert nodes.asked == [(ONE, ["cat", "/etc/kubernetes/admin.conf"])]
    one.provider.api = "127.0.0.1:20001"
    assert server(one)[0] == "https://127.0.0.1:20001"


def test_several_are_reached_at_the_address_that_they_share(three, nodes):
    three.provider.api = "127.0.0.1:20001"  # leads to one of them alone
    assert server(three) == ("https://localhost:26443 to 10.0.0.254", ONE)
    network = three.cluster.spec.network.model_copy(update={"api_address": "10.0.0.9"})
    spec = three.cluster.spec.model_copy(update={"network": network})
    wished = replace(three, cluster=three.cluster.model_copy(update={"spec": spec}))
    assert server(wished)[0] == "https://localhost:26443 to 10.0.0.9"


def test_several_that_share_nothing_are_reached_where_one_answers(three, nodes):
    three.state = replace(three.state, api_address="")
    nodes.dead = {ONE}
    assert server(three) == ("https://10.0.0.2:6443", TWO)


def test_whichever_runs_and_answers_is_asked(three, nodes):
    three.provider.existing[ONE] = "stopped"
    nodes.dead = {TWO}
    assert server(three)[1] == THREE
    assert [name for name, _ in nodes.asked] == [TWO, THREE]
    three.provider.mute = (THREE,)
    nodes.dead = set()
    assert server(three)[1] == TWO


def test_who_is_not_root_asks_for_it(one, nodes):
    one.provider.user = "ubuntu"
    server(one)
    assert nodes.asked[0][1] == ["sudo", "-n", "cat", "/etc/kubernetes/admin.conf"]


def test_all_reasons_are_told_where_none_answers(three, nodes):
    three.provider.mute, nodes.dead = (TWO,), {ONE, THREE}
    with pytest.raises(ErrorGroup) as caught:
        WriteKubeconfig().run(three)
    assert [(error.code, error.message) for error in caught.value.errors] == [
        ("ssh.unreachable", f"{ONE} cannot be reached"),
        ("machine.unreachable", f"{TWO} has no ssh address"),
        ("ssh.unreachable", f"{THREE} cannot be reached"),
    ]
    assert not three.folder.kubeconfig.exists()


def test_where_none_runs_there_is_nobody_to_ask(three, nodes):
    three.provider.existing |= dict.fromkeys((ONE, TWO, THREE), "stopped")
    with pytest.raises(OhmykubeError) as caught:
        WriteKubeconfig().run(three)
    assert caught.value.code == "machine.missing"
    assert nodes.asked == []


def test_it_changes_with_what_it_says_and_not_else(one, nodes, tmp_path):
    one.kubeconfig = tmp_path / "mine"
    changes = []
    for api in ("", "", "127.0.0.1:20001"):
        one.provider.api, one.changed = api, 0
        WriteKubeconfig().run(one)
        changes.append(one.changed)
    assert changes == [2, 0, 2]  # the cluster's own, and the person's
    assert yaml.safe_load(one.kubeconfig.read_text())["clusters"][0]["cluster"]["server"].endswith(":20001")
