"""The image cache as it changes: names that move, content that is shared, removal and export."""

from pathlib import Path

import pytest
import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.image_export import export
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache

from tests.unit.cache.archives import COMPRESS, Oci, docker_archive


class TestRemove:
    def test_a_file_goes_with_its_last_name(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        (first, second) = add(docker_archive(["app:v1", "app:v2"]))
        assert images.remove(["app:v1"]) == [first]
        assert second.path.exists()
        assert images.remove(["app:v2"]) == [second]
        assert not second.path.exists()
        assert images.entries() == []

    def test_a_digest_goes_with_its_last_tag_and_takes_all_tags_along(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.image("amd64")
        layout.name(digest, io_containerd_image_name="a:1")
        layout.name(digest, io_containerd_image_name="a:2")
        assert len(add(layout.tar())) == 3
        assert len(images.remove(["a:1"])) == 1
        assert len(images.remove(["a:2"])) == 2
        add(layout.tar())
        assert len(images.remove([f"a@{digest}"])) == 3
        assert images.entries() == []

    def test_all_or_none(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        add(docker_archive(["a:1"]))
        with pytest.raises(OhmykubeError) as caught:
            images.remove(["a:1", "b:1", "c:1"])
        assert caught.value.code == "image.unknown"
        assert "b:1, docker.io/library/c:1" in caught.value.message
        assert images.find("a:1", "amd64")


class TestExport:
    @pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.zst"])
    def test_it_can_be_added_again(self, add, images: ImageCache, tmp_path: Path, suffix: str) -> None:  # type: ignore[no-untyped-def]
        (image,) = add(docker_archive(["a:1"]))
        export(image, tmp_path / f"out{suffix}")
        other = ImageCache(tmp_path / "other")
        assert [found.sha256 for found in other.add(tmp_path / f"out{suffix}")] == [image.sha256]
        assert {path.name for path in tmp_path.glob("out*")} | {path.name for path in tmp_path.glob(".*")} == {
            f"out{suffix}"
        }

    def test_a_damaged_file_is_not_written(self, add, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        (image,) = add(docker_archive(["a:1"]))
        content = bytearray(image.path.read_bytes())
        content[len(content) // 2] ^= 1
        image.path.write_bytes(content)
        for suffix in (".tar", ".tar.zst"):
            with pytest.raises(OhmykubeError) as caught:
                export(image, tmp_path / f"out{suffix}")
            assert caught.value.code == "image.damaged"
        assert not list(tmp_path.glob("*out*"))

    def test_an_unknown_suffix(self, add, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(OhmykubeError) as caught:
            export(add(docker_archive(["a:1"]))[0], tmp_path / "out.iso")
        assert caught.value.code == "image.suffix"


class TestContent:
    def test_compression_does_not_matter(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        content = docker_archive(["busybox:1.37"])
        sums = {add(compress(content), format_)[0].sha256 for format_, compress in COMPRESS.items()}
        assert len(sums) == 1
        assert len(images.entries()) == 1
        multiple = zstandard.compress(content[:1000]) + zstandard.compress(content[1000:])
        assert add(multiple)[0].sha256 in sums

    def test_the_same_content_under_other_names_shares_the_file(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        content = docker_archive(["busybox:1.37"])
        assert add(content, "a")[0].path == add(content, "b")[0].path
        assert len(list(images._root.glob("*.tar.zst"))) == 1

    def test_a_name_moves_and_its_old_file_goes(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        old = add(docker_archive(["app:v1", "app:latest"], [b"old"]), "old")
        add(docker_archive(["app:latest"], [b"new"]), "new")
        assert old[0].path.exists()
        add(docker_archive(["app:v1"], [b"newer"]), "newer")
        assert not old[0].path.exists()
        assert len(images.entries()) == 2
        assert len(add(docker_archive(["app:v1", "app:latest"], [b"old"]), "old")) == 2
        assert {image.path for image in images.entries()} == {old[0].path}

    def test_again_is_cheap_and_changes_nothing(self, add, images: ImageCache, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        assert images.entries() == []
        first = add(docker_archive(["busybox:1.37"]))
        before = (images._root / "index.json").stat()
        assert images.known(tmp_path / "image.tar") == first
        assert add(docker_archive(["busybox:1.37"])) == first
        assert (images._root / "index.json").stat().st_mtime_ns == before.st_mtime_ns
        first[0].path.unlink()
        assert images.known(tmp_path / "image.tar") == []
        assert add(docker_archive(["busybox:1.37"]))[0].path.exists()
