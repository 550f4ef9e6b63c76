"""A prepared machine's disk as an image: without who it was, and for each new machine its own where it writes."""

import pytest

from ohmykube.providers.nspawn import image


@pytest.fixture
def captured(tmp_path):
    """The image of a machine on the base /base."""
    machine, target = tmp_path / "machine", tmp_path / "image"
    files = {
        "upper/etc/hostname": "builder",
        "upper/etc/machine-id": "1",
        "upper/etc/ssh/ssh_host_ed25519_key": "secret",
        "upper/etc/containerd/config.toml": "version = 3",
        "upper/root/.ssh/authorized_keys": "key",
        "upper/var/log/journal/1/system.journal": "words",
        "upper/usr/local/bin/kubelet": "binary",
        "volumes/containerd/io.containerd.metadata.v1.bolt/meta.db": "database",
        "volumes/containerd/io.containerd.content.v1.content/blobs/sha256/1": "layer",
        "volumes/kubelet/nothing": "",
    }
    for name, text in files.items():
        (machine / name).parent.mkdir(parents=True, exist_ok=True)
        (machine / name).write_text(text)
    (machine / "base").symlink_to("/base")
    target.mkdir()
    image.capture(machine, target)
    return target


def test_who_the_machine_was_is_gone_and_what_it_has_is_there(captured):
    left = sorted(str(path.relative_to(captured)) for path in captured.rglob("*") if path.is_file())
    assert left == [
        "containerd/io.containerd.content.v1.content/blobs/sha256/1",
        "containerd/io.containerd.metadata.v1.bolt/meta.db",
        "upper/etc/containerd/config.toml",
        "upper/usr/local/bin/kubelet",
    ]


def test_it_serves_machines_on_the_same_base_alone(captured, tmp_path):
    assert image.fits(captured, tmp_path / "/base")
    assert not image.fits(captured, tmp_path / "other")


def test_machines_share_what_is_never_written_again(captured, tmp_path):
    machine = tmp_path / "new"
    (machine / "volumes/containerd").mkdir(parents=True)
    image.clone(captured, machine)
    assert (machine / "image/usr/local/bin/kubelet").read_text() == "binary"
    layer, database = (
        "io.containerd.content.v1.content/blobs/sha256/1",
        "io.containerd.metadata.v1.bolt/meta.db",
    )
    assert (machine / "volumes/containerd" / layer).samefile(captured / "containerd" / layer)
    (machine / "volumes/containerd" / database).write_text("its own")
    assert (captured / "containerd" / database).read_text() == "database"
