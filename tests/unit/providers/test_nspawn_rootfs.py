"""Where the base comes from, and what becomes of a fresh system."""

from pathlib import Path

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.nspawn import apt_sources, checks, rootfs
from ohmykube.providers.nspawn.apt_sources import Distribution, Source
from ohmykube.providers.nspawn.rootfs import Base

_DEBIAN = """\
Types: deb
# a mirror nearby
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: https://vendor.example/apt
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/vendor.gpg
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A computer with Debian's keyring."""
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "usr/share/keyrings").mkdir(parents=True)
    (tmp_path / "usr/share/keyrings/debian-archive-keyring.gpg").touch()
    return tmp_path


def test_deb822_sources_of_the_distribution_alone(root: Path) -> None:
    (root / "etc/apt/sources.list.d/debian.sources").write_text(_DEBIAN)

    found = apt_sources.distribution("debian-12", apt_sources.configured(root), root)

    assert found is not None
    assert [(source.uri, source.suite) for source in found.sources] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/security", "bookworm-security"),
        ("http://mirror.example/debian", "bookworm-updates"),
    ]
    assert found.sources[0].line() == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main"
    )


def test_one_line_sources_and_another_release_of_the_same_mirror(root: Path) -> None:
    (root / "etc/apt/sources.list").write_text(
        "# deb http://off.example bookworm main\n"
        "deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://m.example/debian bookworm"
        " main non-free-firmware\n"
        "deb-src http://m.example/debian bookworm main\n"
    )

    found = apt_sources.distribution("debian-13", apt_sources.configured(root), root)

    assert found is not None
    assert found.sources == (
        Source("http://m.example/debian", "trixie", ("main",), "/usr/share/keyrings/debian-archive-keyring.gpg"),
    )


def test_a_mirror_list_gives_its_first_mirror(root: Path) -> None:
    (root / "etc/apt/mirrors.txt").write_text("http://near.example/ubuntu/\tpriority:1\nhttp://far.example/ubuntu/\n")
    (root / "etc/apt/sources.list.d/ubuntu.sources").write_text(
        "Types: deb\nURIs: mirror+file:/etc/apt/mirrors.txt\nSuites: noble noble-backports\n"
        "Components: main universe restricted\n"
    )
    (root / "usr/share/keyrings/ubuntu-archive-keyring.gpg").touch()

    found = apt_sources.distribution("ubuntu-24.04", apt_sources.configured(root), root)

    assert found is not None
    assert [source.uri for source in found.sources] == ["http://near.example/ubuntu/"]
    assert found.sources[0].components == ("main", "universe")


def test_without_its_keyring_a_distribution_is_not_there(root: Path) -> None:
    source = Source("http://m.example/ubuntu", "noble", ("main", "universe"))

    assert apt_sources.distribution("ubuntu-24.04", [source], root) is None


_SOURCE = Source("http://m.example/debian", "bookworm", ("main",))


@pytest.mark.parametrize(
    ("template", "legacy", "made"),
    [
        ("", True, "debian-12"),
        ("ubuntu-24.04", True, "debian-12"),  # the spec's default: this provider's own
        ("ubuntu-24.04", False, "debian-12"),  # no Ubuntu mirror here
        ("debian-13", False, "debian-13"),
    ],
)
def test_the_template_that_boots_here(root: Path, template: str, legacy: bool, made: str) -> None:
    assert checks.choose(template, [_SOURCE], legacy=legacy, root=root).template == made


@pytest.mark.parametrize(
    ("template", "legacy", "sources", "words"),
    [
        ("alpine", False, [_SOURCE], "is no template"),
        ("debian-13", True, [_SOURCE], "cgroup v1"),
        ("", True, [], "has no source with a keyring for debian-12"),
    ],
)
def test_a_template_that_cannot_be(root: Path, template: str, legacy: bool, sources: list[Source], words: str) -> None:
    with pytest.raises(OhmykubeError, match=words) as error:
        checks.choose(template, sources, legacy=legacy, root=root)

    assert error.value.code == "nspawn.template"
    assert error.value.hint


_DISTRIBUTION = Distribution("debian-12", "bookworm", (_SOURCE,))


def test_offline_the_base_must_be_there(tmp_path: Path) -> None:
    base = Base(tmp_path, _DISTRIBUTION, offline=True)

    with pytest.raises(OhmykubeError, match="offline") as error:
        base.ensure()
    assert error.value.code == "nspawn.offline"

    base.path.mkdir()
    assert base.ensure() == base.path


def test_both_tools_are_told_the_mirror_and_the_packages(tmp_path: Path) -> None:
    for argv in (rootfs._mmdebstrap(_DISTRIBUTION, tmp_path), rootfs._debootstrap(_DISTRIBUTION, tmp_path)):
        assert any("http://m.example/debian" in word for word in argv)
        assert any(word.startswith("--include=") and "openssh-server" in word for word in argv)
        assert str(tmp_path) in argv


def test_a_fresh_system_becomes_a_base(tmp_path: Path) -> None:
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/machine-id", "usr/share/doc/x/copyright", "var/lib/apt/lists/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/getty.target").write_text("[Unit]\n")

    rootfs.finish(tmp_path)

    assert [name.name for name in (tmp_path / "etc/ssh").iterdir()] == ["sshd_config.d"]
    assert not (tmp_path / "etc/machine-id").exists()
    assert not (tmp_path / "usr/share/doc/x/copyright").exists()
    assert (tmp_path / "var/lib/apt/lists").is_dir()
    assert (tmp_path / "etc/systemd/system/getty.target").readlink() == Path("/dev/null")
    assert "PasswordAuthentication no" in (tmp_path / "etc/ssh/sshd_config.d/10-ohmykube.conf").read_text()
