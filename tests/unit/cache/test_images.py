"""The image cache: both layouts, several names and architectures, and archives that are not whole."""

import gzip
import json
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.images import ImageCache, distinct

from tests.unit.cache.archives import Oci, docker_archive, entry, hexsum, link, read, tar, unpacked
from tests.unit.cache.image_archives import FULL, refused


class TestDocker:
    def test_names_architecture_and_digest(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        content = docker_archive(["busybox:1.37", "quay.io/me/box:v1"], arch="arm64")
        first, second = add(content)
        assert [first.reference, second.reference] == [FULL, "quay.io/me/box:v1"]
        assert first.arch == "arm64"
        assert first.path == second.path
        assert first.path.name == f"{first.sha256}.tar.zst"
        assert first.sha256 == hexsum(first.path.read_bytes())
        config = next(name for name in unpacked(first.path) if name.endswith(".json") and name != "manifest.json")
        assert first.digest == f"sha256:{config.removesuffix('.json')}"
        assert json.loads(read(first.path, "manifest.json"))[0]["RepoTags"] == ["busybox:1.37", "quay.io/me/box:v1"]
        assert images.find("busybox:1.37", "arm64") == first
        assert images.find("busybox:1.37", "amd64") is None
        assert images.find("busybox", "arm64") is None

    def test_old_archives_link_layers_they_share(self, add) -> None:  # type: ignore[no-untyped-def]
        layer = tar([entry("x", b"1")])
        config = json.dumps({"architecture": "amd64", "rootfs": {"diff_ids": [f"sha256:{hexsum(layer)}"] * 2}}).encode()
        manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
        content = tar(
            [
                entry("1/layer.tar", layer),
                link("2/layer.tar", "../1/layer.tar"),
                entry("c.json", config),
                entry("manifest.json", json.dumps(manifest).encode()),
            ]
        )
        (image,) = add(content)
        assert unpacked(image.path)["2/layer.tar"].linkname == "../1/layer.tar"

    def test_compressed_layers(self, add) -> None:  # type: ignore[no-untyped-def]
        layer = gzip.compress(b"layer")
        config = json.dumps({"architecture": "amd64", "rootfs": {"diff_ids": ["sha256:of-the-plain-one"]}}).encode()
        manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar.gz"]}]
        members = {"l.tar.gz": layer, "c.json": config, "manifest.json": json.dumps(manifest).encode()}
        assert add(tar(entry(name, content) for name, content in members.items()))


class TestOci:
    def test_one_image(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.image("arm64")
        layout.name(digest, io_containerd_image_name=FULL, org_opencontainers_image_ref_name="1.37")
        tagged, by_digest = sorted(add(layout.tar()), key=lambda image: image.by_digest)
        assert (tagged.reference, tagged.arch, tagged.digest) == (FULL, "arm64", digest)
        assert by_digest.reference == f"docker.io/library/busybox@{digest}"

    def test_several_architectures_and_an_attestation(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.index([layout.image("amd64"), layout.image("arm64", b"other"), layout.image("unknown")])
        layout.name(digest, org_opencontainers_image_ref_name="quay.io/me/app:v1")
        added = distinct(add(layout.tar()))
        assert [(image.arch, image.digest) for image in added] == [("amd64", digest), ("arm64", digest)]
        assert images.find("quay.io/me/app:v1", "arm64")

    def test_other_platforms_may_have_been_left_out(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        layout.name(layout.index([layout.image("amd64"), f"sha256:{'0' * 64}"]), io_containerd_image_name="a:1")
        assert [image.arch for image in distinct(add(layout.tar()))] == ["amd64"]

    def test_an_index_that_holds_itself(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.image("amd64")
        for _ in range(9):
            digest = layout.index([digest])
        layout.name(digest, io_containerd_image_name="a:1")
        assert refused(add, layout.tar()).code == "image.unnamed"

    def test_oci_counts_where_both_are(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        layout.name(layout.image("amd64"), io_containerd_image_name="a:oci")
        layout.blobs["manifest.json"] = b"[]"
        assert [image.reference for image in distinct(add(layout.tar()))] == ["docker.io/library/a:oci"]

    def test_a_tag_alone_is_no_name(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        layout.name(layout.image("amd64"), org_opencontainers_image_ref_name="latest")
        error = refused(add, layout.tar())
        assert error.code == "image.unnamed"
        assert "docker save" in error.hint


class TestDigests:
    """A node asks containerd for `repo@sha256:…`, also where a manifest names the tag too."""

    def test_both_forms_lead_to_the_image(self, add, images: ImageCache) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.index([layout.image("amd64")])
        layout.name(digest, io_containerd_image_name="quay.io:443/me/app:v1")
        added = add(layout.tar())
        for reference in (f"quay.io:443/me/app@{digest}", f"quay.io:443/me/app:v9@{digest}"):
            found = images.find(reference, "amd64")
            assert found
            assert found.path == added[0].path
        assert images.find(f"quay.io:443/me/other@{digest}", "amd64") is None

    def test_containerd_finds_the_name_in_the_archive(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        digest = layout.image("amd64")
        layout.name(digest, io_containerd_image_name="a:1", org_opencontainers_image_ref_name="1")
        layout.name(digest, org_opencontainers_image_ref_name="nameless")
        written = json.loads(read(add(layout.tar())[0].path, "index.json"))["manifests"]
        names = [entry["annotations"].get("io.containerd.image.name") for entry in written]
        assert names == ["a:1", None, f"docker.io/library/a@{digest}"]
        assert {entry["digest"] for entry in written} == {digest}

    def test_an_archive_that_went_through_the_cache_stays_as_it_is(self, add) -> None:  # type: ignore[no-untyped-def]
        layout = Oci()
        layout.name(layout.image("amd64"), io_containerd_image_name="a:1")
        first = add(layout.tar())[0]
        assert add(first.path.read_bytes(), "again.tar.zst")[0].path == first.path

    @pytest.mark.parametrize("pulled", [False, True])
    def test_a_digest_outlives_its_tag_only_where_a_registry_has_it(
        self, images: ImageCache, tmp_path: Path, pulled: bool
    ) -> None:
        digests = []
        for content in (b"old", b"new"):
            layout = Oci()
            digests.append(layout.image("amd64", content))
            layout.name(digests[-1], io_containerd_image_name="a:1")
            (tmp_path / "x.tar").write_bytes(layout.tar())
            images.add(tmp_path / "x.tar", pulled=pulled)
        assert bool(images.find(f"a@{digests[0]}", "amd64")) == pulled
        assert images.find(f"a@{digests[1]}", "amd64")
        assert len(list(images._root.glob("*.tar.zst"))) == (2 if pulled else 1)


class TestAlias:
    """Podman's `localhost/app:v1` is not what a pod means by `app:v1`."""

    def layout(self, *names: str) -> bytes:
        layout = Oci()
        for number, name in enumerate(names):
            layout.name(layout.image("amd64", bytes([number])), io_containerd_image_name=name)
        return layout.tar()

    @pytest.mark.parametrize("form", ["docker", "oci"])
    def test_a_further_name(self, images: ImageCache, tmp_path: Path, form: str) -> None:
        content = docker_archive(["localhost/app:v1"]) if form == "docker" else self.layout("localhost/app:v1")
        (tmp_path / "x.tar").write_bytes(content)
        plain = images.add(tmp_path / "x.tar")
        added = images.add(tmp_path / "x.tar", alias="app:v1")
        names = {image.reference for image in distinct(added)}
        assert names == {"localhost/app:v1", "docker.io/library/app:v1"}
        assert {image.sha256 for image in added} != {image.sha256 for image in plain}
        assert images.add(tmp_path / "x.tar", alias="app:v1") == added
        again = images.add(tmp_path / "x.tar", alias="localhost/app:v1")
        assert {image.sha256 for image in again} == {image.sha256 for image in added}

    def test_of_several_images_none_is_meant(self, images: ImageCache, tmp_path: Path) -> None:
        (tmp_path / "x.tar").write_bytes(self.layout("a:1", "b:1"))
        assert len(distinct(images.add(tmp_path / "x.tar", alias="c:1"))) == 2


class TestFolder:
    def layout(self, folder: Path) -> tuple[Path, str]:
        layout = Oci()
        digest = layout.image("amd64", b"layer" * 1000)
        layout.name(digest, io_containerd_image_name="a:1")
        layout.blobs["index.json"] = json.dumps({"manifests": layout.manifests}).encode()
        for name, content in layout.blobs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder, digest

    def test_a_layout_in_a_folder(self, images: ImageCache, tmp_path: Path) -> None:
        folder, digest = self.layout(tmp_path / "layout")
        (folder / "blobs/sha256/link").symlink_to("/etc/passwd")
        assert images.known(folder) == []
        added = images.add(folder)
        assert {image.digest for image in added} == {digest}
        assert "blobs/sha256/link" not in unpacked(added[0].path)
        assert images.known(folder) == images.add(folder) == added

    def test_a_damaged_blob(self, images: ImageCache, tmp_path: Path) -> None:
        folder, _ = self.layout(tmp_path / "layout")
        blob = folder / "blobs/sha256" / hexsum(b"layer" * 1000)
        blob.write_bytes(b"Layer" * 1000)
        with pytest.raises(OhmykubeError) as caught:
            images.add(folder)
        assert caught.value.code == "image.corrupt"
