"""Image archives that are not whole, make no sense or are hostile."""

from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import images as module
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from tests.unit.cache.archives import Oci, docker_archive, entry, hexsum, tar
from tests.unit.cache.image_archives import refused


class TestRefused:
    @pytest.mark.parametrize("form", ["docker", "oci"])
    def test_one_flipped_bit_in_a_plain_tar(self, add, form: str) -> None:  # type: ignore[no-untyped-def]
        """No sum from outside: the archive's own must find it."""
        layout = Oci()
        layout.name(layout.image("amd64", b"layer" * 1000), io_containerd_image_name="a:1")
        content = layout.tar() if form == "oci" else docker_archive(["a:1"], [b"layer" * 1000])
        position = content.index(b"layerlayer") + 2500
        damaged = content[:position] + bytes([content[position] ^ 16]) + content[position + 1 :]
        assert refused(add, damaged).code == "image.corrupt"
        assert add(content)

    def test_cut_short(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        content = docker_archive(["a:1"])
        for length in range(0, len(content.rstrip(b"\0")), 700):
            assert refused(add, content[:length]).code == "archive.corrupt"
        assert images.entries() == []
        assert not list(images._root.glob("**/*.new"))

    @pytest.mark.parametrize("missing", ["layer", "config", "manifest"])
    def test_parts_that_are_missing(self, add, missing: str) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.image("amd64", b"layer")
        layout.name(digest, io_containerd_image_name="a:1")
        wanted = {"layer": hexsum(b"layer"), "manifest": digest.removeprefix("sha256:")}
        wanted["config"] = hexsum(b'{"architecture": "amd64"}')
        del layout.blobs[f"blobs/sha256/{wanted[missing]}"]
        assert refused(add, layout.tar()).code == ("image.corrupt" if missing == "layer" else "image.unnamed")

    @pytest.mark.parametrize(
        "documents",
        [
            {"manifest.json": b"{"},
            {"manifest.json": b"{}", "index.json": b"[]"},
            {"manifest.json": b'[{"Config": "x"}]'},
            {"manifest.json": b'[{"Config": "c.json", "Layers": [], "RepoTags": ["a"]}]', "c.json": b"{}"},
            {"manifest.json": b"[1]"},
            {"index.json": b'{"manifests": [{"annotations": {"io.containerd.image.name": "a:1"}}]}'},
            {"index.json": b'{"manifests": {"a": 1}}'},
            {"index.json": b"\xff"},
            {"index.json": b"null"},
        ],
    )
    def test_documents_that_make_no_sense(self, add, documents: dict[str, bytes]) -> None:  # type: ignore[no-untyped-def]
        assert refused(add, tar(entry(name, text) for name, text in documents.items())).code == "image.corrupt"

    def test_no_names(self, add) -> None:  # type: ignore[no-untyped-def]
        assert refused(add, docker_archive([])).code == "image.unnamed"

    def test_no_image(self, add) -> None:  # type: ignore[no-untyped-def]
        assert refused(add, tar([entry("etc/motd", b"hello")])).code == "image.archive"

    def test_hostile(self, add) -> None:  # type: ignore[no-untyped-def]
        assert refused(add, tar([entry("../x", b"")])).code == "archive.hostile"

    def test_a_bad_name_within(self, add) -> None:  # type: ignore[no-untyped-def]
        assert refused(add, docker_archive(["Bad Name"])).code == "image.reference"

    def test_a_flood_of_documents(self, add, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
        monkeypatch.setattr(module, "_DOCUMENTS", 5000)
        assert refused(add, tar(entry(f"{n}.json", b"{" * 1000) for n in range(6))).code == "archive.too-large"

    def test_no_file(self, images: ImageCache, tmp_path: Path) -> None:
        for path in (tmp_path / "none.tar", tmp_path):
            with pytest.raises(OhmykubeError) as caught:
                images.add(path)
            assert caught.value.code == "image.no-file"
            with pytest.raises(OhmykubeError):
                images.known(path)
