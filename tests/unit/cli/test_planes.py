"""Control planes as people meet them: added two at a time or not at all, and deleted by name."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from ohmykube import nodes, ssh
from ohmykube.cli import cluster
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import SshTarget, wanted
from ohmykube.phases.base import Context
from ohmykube.store.machine_images import MachineImages
from ohmykube.store.state import State
from tests.unit.cli import status_world
from tests.unit.cli.test_cli import made
from tests.unit.phases.fakes import FakeArtifacts, FakePlaybooks, FakeProvider
from tests.unit.store.test_kubeconfig import ADMIN

ONE, TWO, THREE = PLANES = tuple(f"dev-control-plane-{number}" for number in (1, 2, 3))
WORKERS = ("dev-worker-1", "dev-worker-2")
ADD_TWO = ("add", "--role", "control-plane", "--count", "2", "-o", "json")


class Provider(FakeProvider):
    def machines(self):
        def target(machine):
            return SshTarget(machine.name, "root", Path("key"), Path("known_hosts"))

        return [replace(machine, ssh=target(machine)) for machine in super().machines()]


@dataclass
class World:
    """What cannot be read fails there. unready: what the API calls so."""

    folder: object
    provider: Provider = field(default_factory=lambda: Provider(existing=dict.fromkeys((ONE, *WORKERS), "running")))
    playbooks: FakePlaybooks = field(default_factory=FakePlaybooks)
    unreadable: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)

    def context(self, session, cluster, folder, kubeconfig=None, *, names=()):
        return Context(
            cluster=cluster,
            folder=folder,
            provider=self.provider,
            playbooks=self.playbooks,
            artifacts=FakeArtifacts(cached=True),
            events=session.events,
            machine_images=MachineImages(folder.path),
            machines=wanted(cluster),
            parallel=8,
            names=names,
            state=folder.read_state(),
        )

    def run(self, target, remote, *, timeout, stdin=""):
        words = [word for word in remote if word in self.unreadable]
        if words:
            raise OhmykubeError("ssh.unreachable", f"{target.host} does not answer {' '.join(words)}")
        return ADMIN if "cat" in remote else json.dumps({"items": [*map(self._node, self.provider.existing)]})

    def _node(self, name):
        ready = "Unknown" if name in self.unready else "True"
        status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"kubeletVersion": "v1.36.4"}}
        return {"metadata": {"name": name}, "spec": {}, "status": status}

    def wish(self):
        return yaml.safe_load(self.folder.spec_file.read_text())["spec"]["controlPlane"]

    def lose(self, *names):
        """Their power; the API server believes for some time that they are there."""
        self.provider.existing |= dict.fromkeys(names, "stopped")


@pytest.fixture(name="world")
def make_world(monkeypatch, home):
    world = World(made("dev", provider="fake", hosts=[]))
    world.folder.write_state(State("dev", "fake", ready="2026-01-01T00:00:00+00:00"))
    (home / "current").write_text("dev\n")
    monkeypatch.setattr(Session, "context", lambda *args, **options: world.context(*args, **options))
    monkeypatch.setattr(ssh, "run", world.run)
    monkeypatch.setattr(ssh, "wait", lambda *_, **__: None)
    return world


@pytest.fixture
def several(run, world):
    """Three control planes."""
    assert run(*ADD_TWO)[0] == 0
    world.playbooks.ran.clear()
    return world


def told(answer, code=0):
    assert answer[0] == code, answer[2]
    return json.loads(answer[1])


def test_one_becomes_one_of_three(run, world):
    data = told(run(*ADD_TWO))["data"]
    assert data["nodes"] == [{"name": TWO, "address": "10.0.0.2"}, {"name": THREE, "address": "10.0.0.3"}]
    assert world.wish()["count"] == 3
    assert world.playbooks.ran == ["add"]
    assert not world.playbooks.told[1]  # nobody is left out
    state = world.folder.read_state()
    assert (state.adding, state.api_address) == ((), "10.0.0.254")
    assert "https://10.0.0.254:6443" in world.folder.kubeconfig.read_text()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ((), "spec.invalid", "2 control planes bear the loss of no more of them than 1"),
        (("--count", "2", "--cpu", "8"), "group.differs", "the group of control planes of dev has other nodes"),
    ],
)
def test_what_would_be_no_gain_or_not_alike_is_refused_before_anything_is_made(run, world, flags, code, words):
    before, wish = dict(world.provider.existing), world.folder.spec_file.read_text()
    (error,) = told(run("add", "--role", "control-plane", *flags, "-o", "json"), code=2)["errors"]
    assert error["code"] == code
    assert words in error["message"]
    assert world.provider.existing == before
    assert world.folder.spec_file.read_text() == wish
    assert world.folder.read_state().adding == ()


class NobodyJoins(FakePlaybooks):
    def run(self, playbook, on_step, **options):
        self.fails = OhmykubeError("task.failed", "etcd says no") if playbook == "add" else None
        return super().run(playbook, on_step, **options)


def test_what_did_not_join_is_taken_away_again(run, world):
    world.playbooks, world.unready = NobodyJoins(), {TWO, THREE}
    (error,) = told(run(*ADD_TWO), code=1)["errors"]
    assert f"etcd says no\n{TWO}, {THREE} were taken away again" in error["message"]
    assert world.playbooks.ran == ["add", "remove"]
    assert set(world.provider.existing) == {ONE, *WORKERS}
    assert world.wish()["count"] == 1


def test_an_add_that_fails_at_its_very_end_is_finished_by_the_same_and_adds_no_others(run, world):
    world.unreadable = {"/etc/kubernetes/admin.conf"}
    (error, *_) = told(run(*ADD_TWO), code=1)["errors"]
    assert "taken away" not in error["message"]
    assert world.folder.read_state().adding == (TWO, THREE)
    assert set(world.provider.existing) == {*PLANES, *WORKERS}
    world.unreadable = set()
    data = told(run(*ADD_TWO))["data"]
    assert [node["name"] for node in data["nodes"]] == [TWO, THREE]
    assert world.wish()["count"] == 3
    assert world.folder.read_state().adding == ()


def test_one_of_several_is_deleted_and_its_place_taken_by_the_next(run, several):
    several.lose(TWO)
    assert told(run("delete", TWO, "-o", "json"))["data"]["deleted"] == [TWO]
    assert several.playbooks.told[0]["remove_dead"] == [TWO]
    assert several.playbooks.told[1] == [ONE, THREE]
    assert (several.wish()["count"], several.wish()["absent"]) == (2, [2])
    added = told(run("add", "--role", "control-plane", "-o", "json"))["data"]
    assert [node["name"] for node in added["nodes"]] == [TWO]
    assert several.playbooks.told[1] == [TWO, ONE]


def test_an_even_number_is_told_of_by_every_verb_that_looks_at_the_whole(run, several, monkeypatch):
    """Whoever deletes what an `add` left that was killed may not know that two are less than one."""
    monkeypatch.setattr(Session, "provider", lambda *_, **__: several.provider)
    monkeypatch.setattr(cluster, "refresh", lambda *_, **__: None)
    monkeypatch.setattr(nodes, "ask", lambda *_, **__: status_world.healthy())
    for verb in ("plan", "up", "status"):
        assert told(run(verb, "-o", "json"))["data"]["warnings"] == []
    told(run("delete", THREE, "-o", "json"))
    for verb in ("plan", "up", "status"):
        (words,) = told(run(verb, "-o", "json"))["data"]["warnings"]
        assert "2 control planes bear the loss of no more of them than 1" in words
        assert words in run(verb)[1]
    assert several.wish()["count"] == 2
