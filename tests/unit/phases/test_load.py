"""load with fakes at the protocols: what is asked of the playbook, and what is said when some nodes fail."""

from dataclasses import dataclass, replace

import pytest

from ohmykube.errors import ErrorGroup, OhmykubeError
from ohmykube.model.result import Result
from ohmykube.phases import base
from ohmykube.phases.images import Load
from ohmykube.phases.machines import save
from ohmykube.plans import load

NODES = ["dev-control-plane-1", "dev-worker-1", "dev-worker-2"]


@dataclass(frozen=True)
class Image:
    reference: str
    arch: str = "amd64"


@pytest.fixture
def cluster(context):
    """The context of a cluster that exists."""
    context.folder.make()
    save(context)
    return context


def wish(*images: Image, nodes: tuple[str, ...] = (), any_arch: bool = False) -> Load:
    return Load(("app:v1",), nodes, any_arch, lambda *_: list(images))


def failed_on(*nodes: str, code: str = "node.disk-full") -> OhmykubeError:
    errors = [OhmykubeError(code, f"{node}: no", context={"node": node}) for node in nodes]
    return errors[0] if len(errors) == 1 else ErrorGroup(errors)


def test_the_playbook_is_told_images_and_nodes(cluster):
    wanted = wish(Image("reg.io/b:1"), Image("reg.io/a:1"), nodes=("dev-worker-1",))
    base.execute(load(wanted), cluster)
    assert cluster.playbooks.ran == ["load"]
    variables, limit = cluster.playbooks.told
    references = ["reg.io/a:1", "reg.io/b:1"]
    assert variables == {"images_references": references, "images_arch": "amd64", "images_check_arch": True}
    assert limit == ("dev-worker-1",)
    assert cluster.changed == 5


def test_a_node_that_is_none_is_told_before_anything_is_read(cluster):
    def keep(names, on_step):
        raise AssertionError("it was read")

    wanted = replace(wish(nodes=("dev-worker-1", "dev-worker-9")), keep=keep)
    with pytest.raises(OhmykubeError) as caught:
        base.execute(load(wanted), cluster)
    assert (caught.value.code, caught.value.exit_code) == ("machine.unknown", 2)
    assert "dev-worker-" in caught.value.hint
    assert cluster.playbooks.ran == []


@pytest.mark.parametrize(
    ("nodes", "failed", "exit_code"),
    [
        ((), NODES[1:2], 3),
        ((), NODES[1:], 3),
        ((), NODES, 1),
        (tuple(NODES[:1]), NODES[:1], 1),
    ],
)
def test_some_nodes_are_partly_done_and_all_are_failed(cluster, nodes, failed, exit_code):
    cluster.playbooks.fails = failed_on(*failed)
    with pytest.raises(OhmykubeError) as caught:
        base.execute(load(wish(Image("a"), nodes=nodes)), cluster)
    result = Result.failed("load", caught.value)
    assert result.exit_code == exit_code
    assert [error.context["node"] for error in result.errors] == list(failed)


def test_another_architecture_is_named_and_can_be_insisted_on(cluster):
    cluster.playbooks.fails = failed_on(*NODES, code="image.arch")
    with pytest.raises(OhmykubeError) as caught:
        base.execute(load(wish(Image("a", "arm64"))), cluster)
    assert all("--skip-arch-check" in error.hint for error in caught.value.errors)
    cluster.playbooks.fails = None
    base.execute(load(wish(Image("a", "arm64"), any_arch=True)), cluster)
    assert cluster.playbooks.told[0]["images_arch"] == "arm64"
    assert not cluster.playbooks.told[0]["images_check_arch"]


def test_what_the_archive_has_is_loaded_and_no_other_image_of_that_name(cluster):
    both = (Image("both", "arm64"), Image("both", "amd64"))
    base.execute(load(wish(*both, Image("one", "arm64"))), cluster)
    assert cluster.playbooks.ran == ["load", "load"]
    assert cluster.playbooks.told[0]["images_references"] == ["one"]
    assert cluster.playbooks.told[0]["images_arch"] == "arm64"
    base.execute(load(wish(*both)), cluster)
    assert cluster.playbooks.told[0]["images_arch"] == ""
