"""The full form of image references."""

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.references import normal_reference
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.37", "docker.io/library/busybox:1.37"),
        ("rancher/local-path-provisioner:v0.0.37", "docker.io/rancher/local-path-provisioner:v0.0.37"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
        ("registry.k8s.io/pause:3.10.2", "registry.k8s.io/pause:3.10.2"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("10.0.0.1:5000/a/b/c", "10.0.0.1:5000/a/b/c:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1.37@{DIGEST}", f"docker.io/library/busybox:1.37@{DIGEST}"),
        ("Registry/app", "Registry/app:latest"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
    ],
)
def test_full_form(text: str, full: str) -> None:
    assert normal_reference(text) == full


@pytest.mark.parametrize(
    "text",
    ["", "Busybox", "busybox:", "busybox:a/b", "busybox@sha256:12", "a//b", "/a", "a/", "-a", "a..b", "https://a/b",
     "busybox:1:2", "a b", "localhost:/x", "busybox\n", "registry.k8s.io/", f"@{DIGEST}", "x" * 300],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(OhmykubeError) as caught:
        normal_reference(text)
    assert caught.value.code == "image.reference"
    assert caught.value.exit_code == 2


part = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?", fullmatch=True)
references = st.builds(
    lambda domain, parts, end: domain + "/".join(parts) + end,
    st.sampled_from(["", "docker.io/", "index.docker.io/", "quay.io/", "localhost:5000/", "[::1]/"]),
    st.lists(part, min_size=1, max_size=4),
    st.sampled_from(["", ":v1", ":latest", f"@{DIGEST}", f":v1@{DIGEST}"]),
)


@given(references)
def test_the_full_form_stays(text: str) -> None:
    full = normal_reference(text)
    assert normal_reference(full) == full
    assert full.endswith((text.split("/")[-1], ":latest"))


@given(st.text())
def test_any_text_has_a_stable_full_form_or_is_refused(text: str) -> None:
    try:
        full = normal_reference(text)
    except OhmykubeError:
        return
    assert normal_reference(full) == full
    assert "/" in full
    assert ":" in full
