"""Baking, with fakes at the protocols: one machine, prepared, kept as an image, and gone."""

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.phases.base import execute
from ohmykube.plans import BAKE
from tests.unit.phases.fakes import without

PLAN = without(BAKE, "ssh")


def test_a_prepared_machine_becomes_an_image_and_nothing_else_is_left(context):
    execute(PLAN, context)
    assert context.playbooks.ran == ["nodes"]
    path = context.machine_images.find(context.cluster.image_name, context.artifacts.digest(context.cluster))
    assert (path / "disk").read_text() == context.machines[0].name
    assert context.provider.existing == {}
    assert not context.folder.path.exists()


def test_an_image_that_cannot_be_had_makes_none(context):
    context.artifacts.refused = [OhmykubeError("registry.not-found", "reg.test has no reg.test/a:1.")]
    with pytest.raises(OhmykubeError, match=r"has no reg\.test/a:1"):
        execute(PLAN, context)
    assert context.playbooks.ran == []


def test_a_machine_that_cannot_be_prepared_makes_none_and_can_be_looked_at(context):
    context.playbooks.fails = OhmykubeError("task.failed", "dev-control-plane-1: disk full")
    with pytest.raises(OhmykubeError, match="disk full"):
        execute(PLAN, context)
    assert context.machine_images.entries() == []
    assert context.provider.existing
    context.playbooks.fails = None
    execute(PLAN, context)  # again: it finishes
    assert len(context.machine_images.entries()) == 1
