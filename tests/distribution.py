"""containerd, runc and the CNI plug-ins from Debian's packages, as a catalogue overlay laid out like upstream's files.

    python tests/distribution.py        # prints the overlay's path

Tests of what lies below kubeadm need no other download. The packages come from where this computer's own come from.
Made once a computer, in OHMYKUBE_TEST_DISTRIBUTION (default ~/.cache/ohmykube/test-distribution).
"""

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from ohmykube.providers.nspawn.apt_sources import Source, configured

# containerd 2 is younger than Debian 13; its binaries ask for nothing that Debian 12 lacks. runc does, so it comes
# from this computer's own suite.
CONTAINERD_SUITE = "forky"
SUITES = ("bookworm", "trixie", "forky", "sid")
BUSYBOX = "docker.io/library/busybox:test"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_APT_TIMEOUT = 300  # seconds for one call of apt
_APPLETS = ("sh", "echo", "cat", "ls", "sleep", "wget", "nc", "httpd", "nslookup", "ping", "true")


class Unavailable(Exception):
    """Why there is no such overlay on this computer."""


@dataclass(frozen=True)
class Distribution:
    """catalogue: the overlay. image: a docker-archive of busybox, named BUSYBOX."""

    catalogue: Path
    image: Path


def ensure() -> Distribution:
    """The overlay, made now if it is not there; Unavailable where this computer's packages are not Debian's."""
    default = Path.home() / ".cache" / "ohmykube" / "test-distribution"
    folder = Path(os.environ.get("OHMYKUBE_TEST_DISTRIBUTION") or default).absolute()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            _build(made, Path(scratch))
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # another process was faster: what it made is the same
                    raise
    return Distribution(folder / "catalogue.yml", folder / "busybox.tar")


def _build(made: Path, scratch: Path) -> None:
    arch = _ARCHITECTURES.get(platform.machine(), "")
    own = _own_source()
    made.mkdir()
    apt = _Apt(scratch / "apt", [own, replace(own, suite=CONTAINERD_SUITE)])
    containerd, containerd_version = apt.unpack("containerd", CONTAINERD_SUITE)
    runc, runc_version = apt.unpack("runc", own.suite)
    plugins, plugins_version = apt.unpack("containernetworking-plugins", own.suite)
    busybox, _ = apt.unpack("busybox-static", own.suite)

    binaries = [containerd / "usr/bin" / name for name in ("containerd", "containerd-shim-runc-v2", "ctr")]
    _archive(made / "containerd.tar.gz", {f"bin/{path.name}": path for path in binaries})
    _archive(made / "cni-plugins.tgz", {path.name: path for path in (plugins / "usr/lib/cni").iterdir()})
    shutil.copy(runc / "usr/sbin/runc", made / "runc")
    (made / "busybox.tar").write_bytes(_image(busybox / "bin/busybox", arch))

    files = {
        "containerd": (containerd_version, "containerd.tar.gz"),
        "runc": (runc_version, "runc"),
        "cni_plugins": (plugins_version, "cni-plugins.tgz"),
    }
    components = {
        name: {"versions": {version: {arch: {"url": f"file:{file}", "sha256": _sha256(made / file)}}}}
        for name, (version, file) in files.items()
    }
    (made / "catalogue.yml").write_text(yaml.safe_dump({"components": components}, sort_keys=False))


def _own_source() -> Source:
    for source in configured():
        if source.suite in SUITES and "main" in source.components and "debian-archive" in source.signed_by:
            return replace(source, components=("main",))
    raise Unavailable("the packages of this computer do not come from Debian 12 or newer")


class _Apt:
    """apt with sources and folders of its own; proxy and keys are this computer's."""

    def __init__(self, folder: Path, sources: Iterable[Source]) -> None:
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "sources.list").write_text("".join(f"{source.line()}\n" for source in dict.fromkeys(sources)))
        self._run("update")

    def unpack(self, package: str, suite: str) -> tuple[Path, str]:
        """Download a package and unpack it, uninstalled: its folder, and its upstream version with a leading v."""
        target = self._folder / package
        target.mkdir()
        self._run("download", f"{package}/{suite}", folder=target)
        (archive,) = target.glob("*.deb")
        fields = ["dpkg-deb", "--field", str(archive), "Version"]
        version = subprocess.run(fields, check=True, capture_output=True, text=True, timeout=60).stdout
        upstream = re.match(r"(?:\d+:)?(\d+\.\d+\.\d+)", version)
        if upstream is None:
            raise Unavailable(f"{package} has an unusual version: {version.strip()}")
        subprocess.run(["dpkg-deb", "--extract", str(archive), str(target / "root")], check=True, timeout=60)
        return target / "root", f"v{upstream[1]}"

    def _run(self, *arguments: str, folder: Path | None = None) -> None:
        options = {
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "APT::Sandbox::User": "",
        }
        argv = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items()), *arguments]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_APT_TIMEOUT, cwd=folder)
        if done.returncode:
            lines: Sequence[str] = done.stderr.strip().splitlines()
            raise Unavailable(f"apt-get {arguments[0]} failed: {lines[-1] if lines else 'no output'}")


def _archive(target: Path, members: Mapping[str, Path]) -> None:
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for name, path in sorted(members.items()):
            archive.add(path, name)


def _image(busybox: Path, arch: str) -> bytes:
    """A docker-archive of one layer: busybox and links to it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": arch,
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [BUSYBOX], "Layers": ["layer.tar"]}]
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as archive:
        for name, data in (
            ("layer.tar", layer.getvalue()),
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return image.getvalue()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(ensure().catalogue)
