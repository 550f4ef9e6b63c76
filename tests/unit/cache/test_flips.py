"""Single flipped bits, in cached files and on the way to a node: all are noticed before anything is installed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import stream, upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload, image_payloads
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code

from ohmykube import keeping
from tests.chance import FLIPS, chance
from tests.unit.cache.archives import artifact, docker_archive, files
from tests.unit.distribute.archives import FAKE_CTR, Receiver

NOISE = chance("content").randbytes(200_000)


@pytest.fixture
def payloads(tmp_path: Path) -> list[Payload]:
    """Two packages and two images, as the real caches have them."""
    cache, images = Cache(tmp_path / "cache" / "packages"), ImageCache(tmp_path / "cache" / "images")
    made = []
    for name, content in {"one": NOISE, "two": b"text " * 50_000}.items():
        archive = files({f"bin/{name}": content})
        (tmp_path / name).write_bytes(archive)
        wanted = artifact(
            (tmp_path / name).as_uri(), archive, component=name, format="tar.gz", members={"bin/*": "usr/bin/"}
        )
        entry = cache.ensure(wanted)
        made.append(Payload("package", name, entry.version, entry.sha256, entry.size, entry.path))
    for number in (1, 2):
        (tmp_path / "image").write_bytes(docker_archive([f"reg.test/app:{number}"], [NOISE[number:]]))
        images.add(tmp_path / "image")
    references = [f"reg.test/app:{number}" for number in (1, 2)]
    return made + image_payloads(references, "amd64", images, required=True)[0]


@pytest.fixture
def node(tmp_path: Path) -> Receiver:
    receiver = Receiver(tmp_path / "node", tmp_path / "tools", tmp_path / "loaded")
    receiver.root.mkdir()
    receiver.bin.mkdir()
    receiver.store.touch()
    receiver.tool("ctr", FAKE_CTR.replace("STORE", str(receiver.store)))
    return receiver


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """A file with one bit turned over, for a while."""
    right = path.read_bytes()
    wrong = bytearray(right)
    wrong[bit // 8] ^= 1 << bit % 8
    path.write_bytes(wrong)
    try:
        yield
    finally:
        path.write_bytes(right)


def test_in_cached_files(payloads: list[Payload], tmp_path: Path) -> None:
    """By verify, by export, and by the receiver, each of which sees every flip."""
    choose, noticed = chance("flips in cached files"), Counter[str]()
    root = tmp_path / "cache"
    index = {folder.root: (folder.root / "index.json").read_bytes() for folder in keeping.folders(root)}
    for _ in range(FLIPS):
        payload = choose.choice(payloads)
        with flipped(payload.path, choose.randrange(payload.size * 8)):
            with pytest.raises(OhmykubeError, match="not what the cache recorded"):
                keeping.export(root, tmp_path / "x.tar", str)
            bad = [kept for kept, why in upkeep.verify(keeping.folders(root), str) if why]
            assert [kept.path for kept in bad] == [payload.path]
            assert not payload.path.exists()
            noticed[payload.kind] += 1
        for folder, rows in index.items():  # the file is back, so is its row
            (folder / "index.json").write_bytes(rows)
    assert [why for _, why in upkeep.verify(keeping.folders(root), str) if why] == []
    print(f"noticed: {dict(noticed)}")


@pytest.mark.parametrize("where", ["cache", "stream"])
def test_on_the_way_to_a_node(payloads: list[Payload], node: Receiver, where: str) -> None:
    """cache: of a file that is pushed. stream: of the bytes on their way, as they follow the request."""
    choose, noticed = chance(f"flips in the {where}"), Counter[str]()
    for _ in range(FLIPS):
        payload = choose.choice(payloads)
        bit = choose.randrange(payload.size * 8)
        if where == "cache":
            with flipped(payload.path, bit), pytest.raises(OhmykubeError) as caught:
                node.receive(payload)
        else:
            copy = payload.path.with_name("copy")
            copy.write_bytes(payload.path.read_bytes())
            with flipped(copy, bit):
                manifests = [payload.manifest()]
                head = stream.request("receive", root=str(node.root), timeout=60, payloads=manifests)
                ended = stream.send(node.argv, head, [replace(payload, path=copy)], stall=30, timeout=60)
            copy.unlink()
            with pytest.raises(OhmykubeError) as caught:
                code.answer(ended.returncode, ended.stdout, ended.stderr)
        assert caught.value.code == "payload.corrupt"
        assert node.files == {}
        assert node.remains == []
        assert node.store.read_text() == ""
        noticed[payload.kind] += 1
    node.receive(payloads[0])
    assert payloads[0].is_on(node.probe())
    print(f"noticed: {dict(noticed)}")
