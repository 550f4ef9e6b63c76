"""The node's end, as the node runs it: a process that reads a stream."""

import io
import json
import os
import random
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import receiver as module
from ansible_collections.ohmykube.cluster.plugins.module_utils import receiver_images
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload

from tests.patience import PATIENCE, soon
from tests.unit.distribute.archives import NOISE, Receiver, image, package


def test_a_package_is_unpacked_and_remembered(receiver: Receiver, tool: Payload) -> None:
    assert receiver.receive(tool) == {}
    place = receiver.root / "usr/local/bin/tool"
    assert place.read_bytes() == b"one" + NOISE
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert place.stat().st_mtime == 1
    assert (receiver.root / "usr/local/bin/t").readlink() == Path("tool")
    assert receiver.probe()["packages"] == {"tool": {"version": "v1.0.0", "sha256": tool.sha256}}
    assert receiver.remains == []


def test_several_packages_and_images_come_in_one_stream(receiver: Receiver, tool: Payload, tmp_path: Path) -> None:
    other = package(tmp_path, "other", "v2.0.0", {"usr/local/bin/other": NOISE})
    one, two = image(tmp_path, "reg.io/a:1", "reg.io/a:2"), image(tmp_path, "reg.io/b:1")
    receiver.receive(tool, other, one, two)
    there = receiver.probe()
    assert all(payload.is_on(there) for payload in (tool, other, one, two))
    assert set(there["images"]) == {"reg.io/a:1", "reg.io/a:2", "reg.io/b:1"}


def test_a_file_that_is_no_longer_as_it_was_written_is_noticed(tool: Payload, tmp_path: Path) -> None:
    node = module.Node(tmp_path / "node")
    place = node.root / "usr/local/bin/tool"

    def install() -> None:
        with tool.path.open("rb") as stream:
            node.receive([tool.manifest()], stream)
        assert tool.is_on(node.probe(images=False))

    spoil: list[Callable[[], object]] = [
        lambda: place.write_bytes(b"other"),
        lambda: place.chmod(0o700),
        lambda: os.utime(place, (5, 5)),
        lambda: place.unlink(),
        lambda: (node.root / "usr/local/bin/t").unlink(),
    ]
    for change in spoil:
        install()
        change()
        assert not tool.is_on(node.probe(images=False))


def test_a_new_version_takes_the_old_ones_files_away(receiver: Receiver, tool: Payload, tmp_path: Path) -> None:
    receiver.receive(tool)
    held = (receiver.root / "usr/local/bin/tool").open("rb")  # as a running program holds its file
    newer = package(tmp_path, "tool", "v1.1.0", {"usr/local/bin/tool": b"two", "usr/local/bin/more": b"3"})
    receiver.receive(newer)
    assert receiver.files == {"usr/local/bin/tool": b"two", "usr/local/bin/more": b"3"}
    assert not (receiver.root / "usr/local/bin/t").is_symlink()
    assert held.read() == b"one" + NOISE
    assert newer.is_on(receiver.probe())


def test_two_components_cannot_own_one_file(receiver: Receiver, tool: Payload, tmp_path: Path) -> None:
    receiver.receive(tool)
    thief = package(tmp_path, "thief", "v1.0.0", {"usr/local/bin/new": b"", "usr/local/bin/tool": b"mine"})
    with pytest.raises(OhmykubeError, match="belongs to tool") as caught:
        receiver.receive(thief)
    assert caught.value.code == "payload.conflict"
    assert (receiver.root / "usr/local/bin/tool").read_bytes() == b"one" + NOISE
    assert "thief" not in receiver.probe()["packages"]


def test_every_flipped_bit_is_noticed_before_anything_is_installed(tool: Payload, tmp_path: Path) -> None:
    """In one process, since a hundred would take half a minute."""
    node = module.Node(tmp_path / "node")
    chance = random.Random(2)  # noqa: S311
    content = tool.path.read_bytes()
    for _ in range(100):
        spoilt = bytearray(content)
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        with pytest.raises(module.Failure, match="another sum") as caught:
            node.receive([tool.manifest()], io.BytesIO(spoilt))
        assert caught.value.answer["code"] == "payload.corrupt"
        assert [path.name for path in (tmp_path / "node").rglob("*")] == ["var", "lib", "ohmykube", "lock"]


def test_a_corrupt_payload_is_an_error(receiver: Receiver, tool: Payload) -> None:
    content = tool.path.read_bytes()
    tool.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(OhmykubeError, match="another sum") as caught:
        receiver.receive(tool)
    assert caught.value.code == "payload.corrupt"
    assert receiver.files == {}
    assert receiver.remains == []


def test_containerd_gets_nothing_of_a_corrupt_archive(receiver: Receiver, tmp_path: Path) -> None:
    good, bad = image(tmp_path, "reg.io/a:1"), image(tmp_path, "reg.io/b:1")
    bad.path.write_bytes(bad.path.read_bytes()[:-1] + b"!")
    with pytest.raises(OhmykubeError, match="another sum"):
        receiver.receive(good, bad)
    assert receiver.probe()["images"] == {"reg.io/a:1": good.sha256}  # what came before it stays


def test_an_archive_that_does_not_bring_what_it_should_is_an_error(receiver: Receiver, tmp_path: Path) -> None:
    lying = replace(image(tmp_path, "reg.io/a:1"), references=("reg.io/z:1",))
    with pytest.raises(OhmykubeError, match=r"reg.io/z:1 is not in containerd"):
        receiver.receive(lying)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_receiver_killed_in_the_middle_leaves_nothing_that_the_next_does_not_mend(
    receiver: Receiver, tool: Payload, number: signal.Signals
) -> None:
    process = receiver.start(tool)
    assert process.stdin is not None
    process.stdin.write(tool.path.read_bytes()[: tool.size // 2])
    process.stdin.flush()
    state = receiver.root / "var/lib/ohmykube/staging/package"
    assert soon(lambda: state.exists() and any(state.rglob("*")))
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert receiver.files == {}
    receiver.receive(tool)
    assert tool.is_on(receiver.probe())
    assert receiver.remains == []


def test_a_stream_that_ends_early_installs_nothing(receiver: Receiver, tool: Payload) -> None:
    process = receiver.start(tool)
    out, _ = process.communicate(tool.path.read_bytes()[:1000], timeout=PATIENCE)
    assert json.loads(out)["error"]["code"] == "stream.cut"
    assert receiver.files == {}
    assert receiver.remains == []


def test_killed_between_two_renames_it_is_not_present_and_reset_finds_all(
    tool: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = module.Node(tmp_path / "node")

    def killed(made: Path, place: Path) -> None:
        if place.name == "tool":
            raise KeyboardInterrupt
        made.replace(place)

    monkeypatch.setattr(module, "move", killed)
    with tool.path.open("rb") as stream, pytest.raises(KeyboardInterrupt):
        node.receive([tool.manifest()], stream)
    assert (tmp_path / "node/opt/deep/file").exists()
    assert not tool.is_on(node.probe(images=False))
    node.remove()
    assert not any((tmp_path / "node").rglob("file"))


def test_a_second_receiver_waits_for_the_first(receiver: Receiver, tool: Payload, tmp_path: Path) -> None:
    other = package(tmp_path, "other", "v1.0.0", {"usr/local/bin/other": b"o"})
    first = receiver.start(tool)
    assert soon(lambda: (receiver.root / "var/lib/ohmykube/staging/package").exists())
    second = receiver.start(other)
    assert second.stdin is not None
    second.stdin.write(other.path.read_bytes())
    second.stdin.close()
    time.sleep(0.3)
    assert second.poll() is None
    first.communicate(tool.path.read_bytes(), timeout=PATIENCE)
    assert second.wait(timeout=PATIENCE) == 0
    assert set(receiver.probe()["packages"]) == {"tool", "other"}


def test_remove_takes_away_what_was_brought_and_nothing_else(receiver: Receiver, tool: Payload) -> None:
    (receiver.root / "usr/local").mkdir(parents=True)
    (receiver.root / "usr/local/mine").touch()
    receiver.receive(tool)
    (receiver.root / "opt/theirs").touch()
    receiver.ask("remove")
    assert sorted(str(path.relative_to(receiver.root)) for path in receiver.root.rglob("*")) == [
        "opt",
        "opt/theirs",
        "usr",
        "usr/local",
        "usr/local/mine",
        "var",
        "var/lib",
    ]
    assert receiver.ask("remove") == {}


def test_files_reach_another_file_system_too(receiver: Receiver, tool: Payload) -> None:
    other = Path(f"/dev/shm/ohmykube-test-{os.getpid()}")
    if not other.parent.is_dir() or other.parent.stat().st_dev == receiver.root.stat().st_dev:
        pytest.skip("there is one file system only")
    other.mkdir()
    try:
        (receiver.root / "usr").symlink_to(other)
        receiver.receive(tool)
        assert (other / "local/bin/tool").read_bytes() == b"one" + NOISE
        assert sorted(path.name for path in (other / "local/bin").iterdir()) == ["t", "tool"]
        assert tool.is_on(receiver.probe())
        receiver.ask("remove")
    finally:
        assert not list(other.iterdir())
        other.rmdir()


def test_a_payload_may_lie_on_the_node_already(tool: Payload, tmp_path: Path) -> None:
    node = module.Node(tmp_path / "node")
    with Path(os.devnull).open("rb") as nothing:
        node.receive([tool.manifest(str(tool.path))], nothing)
    assert tool.is_on(node.probe(images=False))


def test_what_a_moved_tag_leaves_behind_may_be_collected() -> None:
    """A digest that somebody pinned by itself stays; so does that of an archive with another tag."""
    before = {"a:1": "old", "a@sha256:1": "old", "b:1": "two", "b:2": "two", "b@sha256:2": "two", "c@sha256:3": "own"}
    after = {**before, "a:1": "new", "a@sha256:9": "new", "b:1": "new-too"}
    assert receiver_images.outdated(before, after) == ["a@sha256:1"]
    assert receiver_images.outdated({}, after) == []
    assert receiver_images.outdated(after, after) == []
