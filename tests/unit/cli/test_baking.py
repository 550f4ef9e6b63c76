"""Machine images and `up`: made anew when stale, for those who have baked one; the cluster is ready in any case."""

import json
from dataclasses import dataclass, field

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Catalogue

from ohmykube.cli import cluster as module
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.custom import Hooks
from ohmykube.model.machines import wanted
from ohmykube.model.parts import parts
from ohmykube.model.spec import Cluster
from ohmykube.phases.base import Context
from ohmykube.plans import UP
from ohmykube.store.home import Home
from ohmykube.store.machine_images import MachineImages
from tests.unit.phases.fakes import FakeArtifacts, FakePlaybooks, FakeProvider

HINT = "`ohmykube cache bake` makes the next cluster"
UP_FLAGS = ("up", "--name", "dev", "--provider", "nspawn")
BAKE = ("cache", "bake", "--provider", "nspawn", "-o", "json")


@dataclass
class World:
    """What the verbs work on: fakes, those of providers and playbooks by the name of their cluster."""

    images: MachineImages
    artifacts: FakeArtifacts = field(default_factory=lambda: FakeArtifacts(cached=True))
    providers: dict[str, FakeProvider] = field(default_factory=dict)
    playbooks: dict[str, FakePlaybooks] = field(default_factory=dict)
    clusters: list[Cluster] = field(default_factory=list)

    def context(self, session, cluster, folder, kubeconfig=None, *, prepared=True):
        self.clusters.append(cluster)
        return Context(
            cluster=cluster,
            folder=folder,
            provider=self.providers.setdefault(cluster.name, FakeProvider()),
            playbooks=self.playbooks.setdefault(cluster.name, FakePlaybooks()),
            artifacts=self.artifacts,
            events=session.events,
            machine_images=session.machine_images,
            machines=wanted(cluster),
            parallel=8,
        )


@pytest.fixture
def world(home, monkeypatch):
    made = World(MachineImages(home / "cache/machines"))
    made.artifacts.catalogue = Catalogue.load()
    monkeypatch.setattr(Session, "artifacts", made.artifacts)
    monkeypatch.setattr(Session, "context", lambda *args, **options: made.context(*args, **options))
    monkeypatch.setattr(module, "UP", [phase for phase in UP if phase.title != "kubeconfig"])
    return made


@pytest.fixture
def stale(run, world):
    """An image was baked, and then something changed that goes into it; the name of its machine's cluster."""
    assert json.loads(run(*BAKE)[1])["data"]["changed"]
    world.artifacts.inputs = "f" * 64
    (builder,) = world.playbooks
    world.playbooks.clear()
    return builder


def test_who_never_baked_is_told_once_and_gets_nothing(run, world):
    code, out, err = run(*UP_FLAGS)
    assert code == 0, err
    assert err.count(HINT) == 1
    assert HINT not in out
    assert world.images.entries() == []
    assert HINT not in run(*UP_FLAGS)[2]  # nothing was made


def test_hosts_that_exist_begin_with_no_image(run, world, tmp_path):
    file = tmp_path / "dev.yaml"
    file.write_text(
        "spec: {hosts: [{name: cp1, address: 127.0.0.1, role: control-plane}], network: {loadBalancer: none}}"
    )
    code, _, err = run("up", "--name", "dev", "--provider", "static", "-f", file)
    assert code == 0, err
    assert HINT not in err


def test_an_image_holds_nothing_of_hooks_and_files(run, world, tmp_path):
    custom = "hooks: {preSystem: [{name: one, script: 'true'}]}, files: [{path: /etc/motd, content: ''}]"
    file = tmp_path / "dev.yaml"
    file.write_text(f"spec: {{{custom}, controlPlane: {{{custom.replace('one', 'two')}}}, workers: [{{name: w}}]}}")
    code, _, err = run(*BAKE, "-f", file)
    assert code == 0, err
    (builder,) = world.clusters
    assert [list(part.hooks.moments()) for _, part in parts(builder)] == [list(Hooks().moments())] * 2
    assert not any(part.files for _, part in parts(builder))


def test_an_image_that_is_fresh_stays(run, world):
    made = json.loads(run(*BAKE)[1])["data"]
    assert made["changed"]
    code, _, err = run(*UP_FLAGS)
    assert code == 0, err
    assert "bake" not in err
    assert [str(image.path) for image in world.images.entries()] == [made["path"]]
    assert not json.loads(run(*BAKE)[1])["data"]["changed"]


def test_a_stale_image_is_baked_anew_when_the_cluster_is_ready(run, world, stale):
    code, out, err = run(*UP_FLAGS, "-o", "json")
    assert code == 0, err
    assert json.loads(out)["data"]["name"] == "dev"
    assert len([line for line in err.splitlines() if "is stale: it is baked anew" in line]) == 1
    assert list(world.playbooks) == ["dev", stale]  # in this order
    assert [image.inputs for image in world.images.entries()] == [world.artifacts.inputs]
    assert [folder.name for folder in Home.from_environment().clusters()] == ["dev"]


def test_a_failure_to_bake_is_a_warning_and_leaves_no_machine(run, world, stale):
    world.playbooks[stale] = FakePlaybooks(fails=OhmykubeError("task.failed", "no room on the disk"))
    code, out, err = run(*UP_FLAGS)
    assert code == 0, err
    assert "Cluster dev is ready" in out
    assert "`ohmykube cache bake` tries again: no room on the disk" in err
    assert world.providers[stale].existing == {}
    assert len(world.images.entries()) == 1
    assert [folder.name for folder in Home.from_environment().clusters()] == ["dev"]


def test_what_is_not_known_to_be_stale_stays(run, world, stale):
    world.artifacts.inputs = ""  # an image that goes into it could not be pulled
    code, _, err = run(*UP_FLAGS)
    assert code == 0, err
    assert "stale" not in err
    assert list(world.playbooks) == ["dev"]
