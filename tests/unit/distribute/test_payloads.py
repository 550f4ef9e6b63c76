"""From names to archives, with fakes for catalogue and caches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import ErrorGroup, OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import (
    Payload,
    image_payloads,
    package_artifacts,
    package_payloads,
    predicted_payloads,
)

NODE = {"packages": {"runc": {"version": "v1.0.0", "sha256": "sum-of-runc"}}, "images": {"reg.io/a:1": "one"}}


@dataclass(frozen=True)
class Found:
    sha256: str
    size: int = 1
    path: Path = Path("/cache/x.tar.zst")
    reference: str = ""
    arch: str = "amd64"


class Shelf:
    """A catalogue and a package cache in which `cached` lies; all else can be downloaded unless offline."""

    def __init__(self, *cached: str) -> None:
        self.cached = cached
        self.downloaded: list[str] = []

    def artifact(self, component: str, arch: str, version: str = "") -> Artifact:
        if component == "nonsense":
            raise OhmykubeError("catalogue.missing", "no nonsense")
        return Artifact(component, version or "v1.0.0", arch, f"https://example.org/{component}")

    def find(self, artifact: Artifact) -> Found | None:
        return Found(f"sum-of-{artifact.component}") if artifact.component in self.cached else None

    def ensure_all(
        self, artifacts: Sequence[Artifact], *, offline: bool = False, allow_unverified: bool = False
    ) -> list[Found]:
        missing = [artifact.component for artifact in artifacts if artifact.component not in self.cached]
        if missing and offline:
            raise OhmykubeError("cache.offline", f"no {missing}")
        self.downloaded += missing
        return [Found(f"sum-of-{artifact.component}") for artifact in artifacts]


class Images:
    def __init__(self, **found: Found) -> None:
        self.found = found

    def find(self, reference: str, arch: str) -> Found | None:
        return self.found.get(reference)

    def architectures(self, reference: str) -> list[str]:
        return ["arm64"] if reference == "elsewhere" else []


def artifacts(*names: str) -> list[Artifact]:
    return package_artifacts([{"component": name, "version": ""} for name in names], "amd64", Shelf())


def test_the_cache_fills_itself() -> None:
    shelf = Shelf("runc")
    payloads = package_payloads(artifacts("runc", "crictl", "runc"), shelf, offline=False, allow_unverified=False)
    assert [(each.label, each.is_on(NODE)) for each in payloads] == [("runc v1.0.0", True), ("crictl v1.0.0", False)]
    assert shelf.downloaded == ["crictl"]


def test_check_mode_downloads_nothing() -> None:
    shelf = Shelf("runc")
    payloads = predicted_payloads(artifacts("runc", "crictl"), shelf)
    assert [(each.size, each.is_on(NODE)) for each in payloads] == [(1, True), (0, False)]
    assert shelf.downloaded == []


def test_all_that_is_wrong_is_named_at_once() -> None:
    """A component has one version, and must be in the catalogue."""
    names = [("runc", ""), ("nonsense", ""), ("runc", "v1.1.0")]
    wanted = [{"component": name, "version": version} for name, version in names]
    with pytest.raises(ErrorGroup) as caught:
        package_artifacts(wanted, "amd64", Shelf())
    assert [error.code for error in caught.value.errors] == ["catalogue.missing", "distribute.two-versions"]
    assert "v1.0.0 and v1.1.0" in caught.value.errors[1].message


def test_an_archive_with_several_names_goes_once_and_the_largest_first() -> None:
    one = Found("one", 1, reference="reg.io/a:1")
    cache = Images(a=one, b=Found("one", 1, reference="reg.io/b:1"), c=Found("two", 2, reference="reg.io/c:1"))
    payloads, missing = image_payloads(["a", "b", "c", "a"], "amd64", cache, required=True)
    assert [each.references for each in payloads] == [("reg.io/c:1",), ("reg.io/a:1", "reg.io/b:1")]
    assert missing == []
    (there,), _ = image_payloads(["a"], "amd64", cache, required=True)
    assert (there.is_on(NODE), there.label_on(NODE)) == (True, "reg.io/a:1")
    assert [each.label_on(NODE) for each in payloads] == ["", ""]


def test_missing_images_are_named_or_left_to_the_node() -> None:
    cache = Images(a=Found("one", reference="a"))
    with pytest.raises(OhmykubeError, match=r"lacks 2 image.*: b, c") as caught:
        image_payloads(["a", "b", "c"], "amd64", cache, required=True)
    assert caught.value.code == "image.missing"
    payloads, missing = image_payloads(["a", "b", "c"], "amd64", cache, required=False)
    assert ([each.name for each in payloads], missing) == (["a"], ["b", "c"])


def test_an_image_for_another_architecture_is_told_from_none() -> None:
    with pytest.raises(OhmykubeError, match=r"for amd64: elsewhere \(only for arm64\)") as caught:
        image_payloads(["elsewhere"], "amd64", Images(), required=True)
    assert caught.value.code == "image.arch"
    with pytest.raises(OhmykubeError, match="nowhere, elsewhere") as caught:
        image_payloads(["nowhere", "elsewhere"], "amd64", Images(), required=True)
    assert caught.value.code == "image.missing"
    payloads, _ = image_payloads(["a"], "amd64", Images(a=Found("one", reference="a")), required=True)
    assert payloads[0].manifest()["arch"] == "amd64"


def test_what_is_there_in_an_older_version_shows_in_the_difference() -> None:
    newer = Payload("package", "runc", "v2.0.0", "new", 1, Path())
    assert (newer.label_on(NODE), newer.is_on(NODE)) == ("runc v1.0.0", False)
    broken = {"packages": {"runc": {"version": "v1.0.0", "sha256": ""}}, "images": {}}
    assert newer.label_on(broken) == ""
