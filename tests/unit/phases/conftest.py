"""A context whose protocols are all faked."""

import pytest

from ohmykube.model import load
from ohmykube.model.machines import wanted
from ohmykube.phases import base
from ohmykube.store.home import Home
from ohmykube.store.machine_images import MachineImages
from tests.unit.phases.fakes import FakeArtifacts, FakePlaybooks, FakeProvider

DEFAULTS = {("spec", "provider"): "fake", ("spec", "kubernetesVersion"): "v1.36.4"}


@pytest.fixture
def context(home):
    cluster = load.build("dev", document=None, defaults=DEFAULTS, supported_versions=("v1.36.4",))
    events = []
    made = base.Context(
        cluster=cluster,
        folder=Home(home).cluster("dev"),
        provider=FakeProvider(),
        playbooks=FakePlaybooks(),
        artifacts=FakeArtifacts(),
        events=events.append,
        machine_images=MachineImages(home / "cache/machines"),
        machines=wanted(cluster),
        parallel=8,
    )
    made.seen = events
    return made
