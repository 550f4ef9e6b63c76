"""What the catalogue answers, and how an overlay changes it."""

import random
import re
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import (
    Catalogue,
    guess_format,
    version_key,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue_file import normal_version, read
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import normal_reference
from hypothesis import given
from hypothesis import strategies as st

SUM = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def overlay(tmp_path: Path):  # type: ignore[no-untyped-def]
    def load(*texts: str) -> Catalogue:
        paths = []
        for number, text in enumerate(texts):
            path = tmp_path / f"overlay{number}.yml"
            path.write_text(text)
            paths.append(path)
        return Catalogue.load(paths)

    return load


def refused(code: str, call, *arguments: object) -> OhmykubeError:  # type: ignore[no-untyped-def]
    with pytest.raises(OhmykubeError) as caught:
        call(*arguments)
    assert caught.value.code == code
    return caught.value


class TestShipped:
    """The collection's own file."""

    catalogue = Catalogue.load()

    @pytest.mark.parametrize("component", catalogue.components())
    def test_every_entry_is_complete(self, component: str) -> None:
        for version in self.catalogue.versions(component):
            for arch in ("amd64", "arm64"):
                artifact = self.catalogue.artifact(component, arch, version)
                assert artifact.url.startswith("https://") or (artifact.images and not artifact.url)
                assert "{" not in artifact.url + artifact.checksum_url
                assert artifact.pinned or artifact.checksum_url or not artifact.url
                assert artifact.format != "raw" or "" in artifact.members or not artifact.members
                assert all(not place.startswith("/") for place in artifact.members.values())
                assert all(normal_reference(image) == image for image in artifact.images)

    def test_the_default_kubernetes_is_the_newest_with_all_sums(self) -> None:
        assert self.catalogue.default("kubeadm") == "v1.36.4"
        assert self.catalogue.default("kubeadm") != self.catalogue.versions("kubeadm")[0]
        assert {self.catalogue.default(name) for name in ("kubelet", "kubectl")} == {"v1.36.4"}

    def test_the_three_minors_are_there(self) -> None:
        assert {version.rsplit(".", 1)[0] for version in self.catalogue.versions("kubeadm")} == {
            "v1.35",
            "v1.36",
            "v1.37",
        }

    def test_images_of_the_control_plane_follow_the_version(self) -> None:
        images = self.catalogue.artifact("kubeadm", "amd64", "1.36.3").images
        assert "registry.k8s.io/kube-proxy:v1.36.3" in images
        assert "registry.k8s.io/pause:3.10.2" in images
        assert "registry.k8s.io/etcd:3.6.6-0" in self.catalogue.artifact("kubeadm", "amd64", "v1.35.7").images

    def test_manifests_and_machine_images_do_not_go_to_nodes(self) -> None:
        for name in ("flannel", "metallb", "local_path", "ubuntu-24.04", "debian-13", "lima", "lima_darwin"):
            assert not self.catalogue.artifact(name, "arm64").members

    def test_what_is_an_image_alone_has_nothing_to_fetch(self) -> None:
        artifact = self.catalogue.artifact("kube_vip", "arm64")
        assert artifact.images == (f"ghcr.io/kube-vip/kube-vip:{artifact.version}",)
        assert (artifact.url, artifact.sha256, artifact.checksum_url, artifact.members) == ("", "", "", {})

    def test_lima_is_named_as_its_release_names_it(self) -> None:
        assert "Linux-aarch64" in self.catalogue.artifact("lima", "arm64").url
        assert "Darwin-arm64" in self.catalogue.artifact("lima_darwin", "arm64").url
        assert "Darwin-x86_64" in self.catalogue.artifact("lima_darwin", "x86_64").url

    @pytest.mark.parametrize("name", ["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "ubuntu-26.04"])
    def test_a_machine_image_has_an_undated_way_out(self, name: str) -> None:
        dated = self.catalogue.artifact(name, "amd64")
        undated = self.catalogue.artifact(name, "amd64", name.partition("-")[2])
        assert dated.version[1:] in dated.url
        assert re.search(r"/(release|latest)/", undated.url)
        assert dated.pinned
        assert not undated.pinned
        assert dated.checksum_url.endswith("SHA512SUMS" if dated.sha512 else "SHA256SUMS")
        assert dated.sha512 or not name.startswith("debian")

    def test_unknown_component_names_its_neighbours(self) -> None:
        assert "kubeadm" in refused("catalogue.missing", self.catalogue.default, "kubadm").message
        assert "containerd" in refused("catalogue.missing", self.catalogue.default, "zzz").message

    @pytest.mark.parametrize("version", ["v1.2.3", "latest", "../1", "1.36.4\n"])
    def test_unknown_version_names_the_known_ones(self, version: str) -> None:
        error = refused("catalogue.missing", self.catalogue.artifact, "kubeadm", "amd64", version)
        assert "v1.36.4" in error.message
        assert error.exit_code == 2

    def test_unknown_architecture(self) -> None:
        assert "amd64, arm64" in refused("catalogue.missing", self.catalogue.artifact, "kubeadm", "riscv64").message


class TestOverlay:
    def test_a_sum_of_either_kind_takes_the_others_place(self, overlay) -> None:  # type: ignore[no-untyped-def]
        text = "components: {debian-12: {versions: {v20260712-2537: {amd64: {url: 'file:mine', sha256: %s}}}}}"
        found = overlay(text % SUM).artifact("debian-12", "amd64", "v20260712-2537")
        assert (found.sha256, found.sha512, found.pinned) == (SUM, "", SUM)
        back = "components: {debian-12: {versions: {v20260712-2537: {amd64: %s}}}}" % (OTHER * 2)
        found = overlay(text % SUM, back).artifact("debian-12", "amd64", "v20260712-2537")
        assert (found.sha256, found.sha512) == ("", OTHER * 2)

    def test_one_sum_is_enough(self, overlay) -> None:  # type: ignore[no-untyped-def]
        text = f"components: {{x: {{versions: {{v1: {{any: {{sha256: {SUM}, sha512: {SUM * 2}}}}}}}}}}}"
        assert "one sum is enough" in refused("catalogue.invalid", overlay, text).message
        text = f"components: {{x: {{versions: {{v1: {{any: {{sha512: {SUM}}}}}}}}}}}"
        assert "a sha512 sum has 128" in refused("catalogue.invalid", overlay, text).message

    def test_its_newest_version_becomes_the_default(self, overlay) -> None:  # type: ignore[no-untyped-def]
        catalogue = overlay(
            f"components: {{kubeadm: {{versions: {{1.36.2: {{amd64: {SUM}}}, v1.36.1: {{amd64: {SUM}}}}}}}}}"
        )
        assert catalogue.default("kubeadm") == "v1.36.2"
        assert catalogue.default("kubelet") == "v1.36.4"

    def test_default_is_obeyed_and_the_last_overlay_wins(self, overlay) -> None:  # type: ignore[no-untyped-def]
        first = f"components: {{runc: {{default: 1.4.2, versions: {{v9.9.9: {{amd64: {SUM}}}}}}}}}"
        assert overlay(first).default("runc") == "v1.4.2"
        second = f"components: {{runc: {{versions: {{v1.1.5: {{amd64: {SUM}}}}}}}}}"
        assert overlay(first, second).default("runc") == "v1.1.5"
        assert overlay(first, "components: {helm: {default: v3.20.0}}").default("runc") == "v1.4.2"

    def test_values_are_laid_over_one_by_one(self, overlay) -> None:  # type: ignore[no-untyped-def]
        plain = Catalogue.load().artifact("kubeadm", "amd64", "1.36.4")
        mirrored = overlay(
            "components: {kubeadm: {versions: {v1.36.4: {amd64: {url: 'https://mirror.example/k/{version}/{arch}'}}}}}"
        ).artifact("kubeadm", "amd64", "1.36.4")
        assert mirrored.url == "https://mirror.example/k/1.36.4/amd64"
        assert mirrored.sha256 == plain.sha256
        assert mirrored.images == plain.images

    def test_a_mirror_of_everything(self, overlay) -> None:  # type: ignore[no-untyped-def]
        catalogue = overlay("components: {kubeadm: {url: 'https://mirror.example/{version}/kubeadm'}}")
        assert catalogue.default("kubeadm") == "v1.36.4"
        artifact = catalogue.artifact("kubeadm", "arm64")
        assert artifact.url == "https://mirror.example/1.36.4/kubeadm"
        assert artifact.checksum_url == artifact.url + ".sha256"

    def test_relative_files_lie_beside_the_overlay(self, overlay, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        folder = tmp_path / "my files"
        folder.mkdir()
        path = folder / "catalogue.yml"
        path.write_text("components: {runc: {versions: {v1.1.5: {amd64: {url: 'file:bin/{arch}/a%20b'}}}}}")
        artifact = Catalogue.load([path]).artifact("runc", "amd64")
        assert artifact.url == f"file://{tmp_path}/my%20files/bin/amd64/a%20b"

    def test_format_follows_the_url(self, overlay) -> None:  # type: ignore[no-untyped-def]
        catalogue = overlay(
            "components: {containerd: {versions: {v2.1.9: {amd64: {url: 'file:c.tar.zst'}, "
            "arm64: {url: 'file:c.bin', format: tgz}}}}}"
        )
        assert catalogue.artifact("containerd", "amd64").format == "tar.zst"
        assert catalogue.artifact("containerd", "arm64").format == "tar.gz"
        assert catalogue.artifact("containerd", "arm64").members == {"bin/*": "usr/local/bin/"}

    def test_a_component_of_ones_own(self, overlay) -> None:  # type: ignore[no-untyped-def]
        catalogue = overlay(
            f"""
components:
  my-tool:
    url: https://example.org/{{version}}/tool-{{arch}}
    mode: 0700
    members: {{"": "opt/{{version}}/tool"}}
    versions: {{1.0: {{any: {SUM}, images: [busybox]}}}}
"""
        )
        artifact = catalogue.artifact("my-tool", "arm64")
        assert (artifact.version, artifact.arch, artifact.mode) == ("v1.0", "any", 0o700)
        assert artifact.members == {"": "opt/1.0/tool"}
        assert artifact.images == ("busybox",)

    def test_an_empty_overlay_changes_nothing(self, overlay) -> None:  # type: ignore[no-untyped-def]
        assert overlay("").artifact("runc", "amd64") == Catalogue.load().artifact("runc", "amd64")

    def test_a_component_without_a_url_says_so(self, overlay) -> None:  # type: ignore[no-untyped-def]
        catalogue = overlay(f"components: {{mine: {{versions: {{v1: {{amd64: {SUM}}}}}}}}}")
        assert "url" in refused("catalogue.invalid", catalogue.artifact, "mine", "amd64").message

    def test_images_alone_are_enough_and_none_are_not(self, overlay) -> None:  # type: ignore[no-untyped-def]
        images = "components: {mine: {images: ['reg.test/a:{version}'], versions: {1.0: {any: {}}, 2.0: {any: {}}}}}"
        assert overlay(images).artifact("mine", "amd64").images == ("reg.test/a:2.0",)
        empty = overlay("components: {kube_vip: {images: []}}")
        refused("catalogue.invalid", empty.artifact, "kube_vip", "amd64")

    def test_a_component_without_versions_says_so(self, overlay) -> None:  # type: ignore[no-untyped-def]
        catalogue = overlay("components: {mine: {url: 'https://example.org/x'}}")
        refused("catalogue.missing", catalogue.artifact, "mine", "amd64")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("component: {}", r":1:1: unknown key 'component'; did you mean 'components'\?"),
            ("components:\n  runc: {url: 'https://x/y', sha: 1}", r":2:30: components\.runc: unknown key 'sha'"),
            ("components: {runc: {versions: {v1: {amd46: {}}}}}", "did you mean 'amd64'"),
            ("components: {runc: {versions: {v1: {amd64: {sha265: x}}}}}", "did you mean 'sha256'"),
            ("components: {runc: {versions: {v1: {amd64: abc}}}}", "64 hexadecimal"),
            ("components: {runc: {versions: {newest: {}}}}", "'newest' is no version"),
            ("components: {runc: {url: ftp://x/y}}", "no http:, https: or file: URL"),
            ("components: {runc: {url: bin/runc}}", "no http:, https: or file: URL"),
            ("components: {runc: {url: 'file://server/runc'}}", "names a host"),
            ("components: {runc: {format: rar}}", "unknown format 'rar'; did you mean"),
            ("components: {runc: {mode: rwx}}", "no file mode"),
            ("components: {Runc: {}}", "no component name"),
            ("components: {'../x': {}}", "no component name"),
            ("components: [runc]", "must be a mapping"),
            ("components: {runc: {images: busybox}}", "must be a list"),
            ("components: {runc: {url: }}", "must be text"),
            ("components: {runc: {}, runc: {}}", "appears twice"),
            ("components: {[a]: {}}", "must be text"),
            ("components: {", ":1:"),
            ("components: \x07", "overlay0.yml: "),
            ("a: &a {b: *c}", "undefined alias"),
            ("components: {runc: {url: 'https://[x/y'}}", "no http:, https: or file: URL"),
        ],
    )
    def test_mistakes_are_named_with_their_place(self, overlay, text: str, said: str) -> None:  # type: ignore[no-untyped-def]
        error = refused("catalogue.invalid", overlay, text)
        assert re.search(said, error.message)
        assert error.exit_code == 2

    def test_unreadable(self, tmp_path: Path) -> None:
        assert "No such file" in refused("catalogue.unreadable", Catalogue.load, [tmp_path / "none.yml"]).message
        refused("catalogue.unreadable", Catalogue.load, [tmp_path])
        (tmp_path / "latin.yml").write_bytes(b"\xff\xfe\xfa")
        refused("catalogue.unreadable", Catalogue.load, [tmp_path / "latin.yml"])


numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)


class TestVersions:
    @given(numbers, numbers)
    def test_sorted_by_number(self, one: list[int], other: list[int]) -> None:
        texts = [".".join(map(str, each)) for each in (one, other)]
        assert (version_key(normal_version(texts[0])) < version_key(normal_version(texts[1]))) == (one < other)

    @given(numbers)
    def test_a_prerelease_comes_first(self, parts: list[int]) -> None:
        release = normal_version(".".join(map(str, parts)))
        order = [f"{release}-alpha.1", f"{release}-beta.2", f"{release}-rc.2", f"{release}-rc.10", release]
        assert sorted(random.sample(order, len(order)), key=version_key) == order

    @given(st.text())
    def test_normal_form_is_stable_or_refused(self, text: str) -> None:
        try:
            version = normal_version(text)
        except ValueError:
            return
        assert normal_version(version) == version
        version_key(version)


@given(st.text())
def test_any_text_is_a_catalogue_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read(path)
    except OhmykubeError as error:
        assert error.code == "catalogue.invalid"


@pytest.mark.parametrize(
    ("url", "format_"),
    [
        ("https://x/a.tgz", "tar.gz"),
        ("https://x/a.TAR.GZ?token=1", "tar.gz"),
        ("file:///a.txz", "tar.xz"),
        ("file:///a.zip", "zip"),
        ("https://x/runc.amd64", "raw"),
        ("https://x/noble.img", "raw"),
    ],
)
def test_guess_format(url: str, format_: str) -> None:
    assert guess_format(url) == format_
