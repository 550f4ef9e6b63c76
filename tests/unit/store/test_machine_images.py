"""Machine images: there whole or not at all, stale ones not found, used ones kept."""

import pytest

from ohmykube.store.machine_images import MachineImages

NAME, OLD, NEW = "fake-x-v1.36.4-flannel", "0" * 64, "1" * 64


@pytest.fixture
def images(home, tmp_path):
    """In a cache that lies elsewhere, as on another disk."""
    home.mkdir()
    (tmp_path / "disk").mkdir()
    (home / "cache").symlink_to(tmp_path / "disk")
    return MachineImages(home / "cache/machines")


def add(images, inputs, text="disk", name=NAME):
    with images.adding(name, inputs) as folder:
        (folder / "disk").write_text(text)


def test_an_image_is_found_by_what_went_into_it(images):
    assert images.find(NAME, OLD) is None
    add(images, OLD)
    path = images.find(NAME, OLD)
    assert (path / "disk").read_text() == "disk"
    assert images.find(NAME, NEW) is None
    assert images.find(NAME, "") is None
    assert images.find("another", OLD) is None
    (entry,) = images.entries()
    assert (entry.name, entry.inputs, entry.path) == (NAME, OLD, path)
    assert entry.size > 0


def test_an_error_while_it_is_made_leaves_none(images):
    def fail():
        with images.adding(NAME, OLD) as folder:
            (folder / "half").write_text("x")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert images.find(NAME, OLD) is None
    assert images.entries() == []
    add(images, OLD)  # what was left is no hindrance
    assert [path.name for path in images.find(NAME, OLD).iterdir() if path.name != "about.json"] == ["disk"]


def test_a_new_one_replaces_the_old_and_leaves_others_alone(images):
    add(images, OLD)
    add(images, OLD, name="another")
    add(images, NEW)
    assert images.find(NAME, OLD) is None
    assert images.find("another", OLD)
    add(images, NEW, text="again")
    assert (images.find(NAME, NEW) / "disk").read_text() == "again"
    assert len(images.entries()) == 2


def test_what_a_machine_reads_stays_until_it_is_gone(images, home):
    add(images, OLD)
    link = home / "clusters/dev/machines/dev-1/image"
    link.parent.mkdir(parents=True)
    link.symlink_to(images.find(NAME, OLD) / "disk")
    add(images, NEW)
    assert images.find(NAME, OLD)
    assert [entry.inputs for entry in images.prune(images.entries())] == [NEW]
    assert [entry.inputs for entry in images.entries()] == [OLD]
    link.unlink()
    assert [entry.inputs for entry in images.prune(images.entries())] == [OLD]
    assert images.entries() == []
