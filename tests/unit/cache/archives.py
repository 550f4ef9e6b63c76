"""Archives as upstream makes them, and as an attacker would."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.xz": lzma.compress,
    "tar.bz2": bz2.compress,
    "tar.zst": zstandard.ZstdCompressor().compress,
}


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member with the looks of a real build: some user's, some day's."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.uid, info.gid, info.uname, info.mode = len(content), 1_700_000_000, 501, 20, "me", 0o775
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=kind, linkname=target)


def files(contents: Mapping[str, bytes], format_: str = "tar.gz") -> bytes:
    """An archive of plain files in any format."""
    if format_ == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o100755 << 16
                archive.writestr(info, content, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()
    return COMPRESS[format_](tar(entry(name, content) for name, content in contents.items()))


def unpacked(path: Path) -> dict[str, tarfile.TarInfo]:
    """The members of a normalised archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(plain(path))) as archive:
        return {member.name: member for member in archive.getmembers()}


def read(path: Path, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(plain(path))) as archive:
        opened = archive.extractfile(name)
        assert opened
        return opened.read()


def plain(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).readall()


def hexsum(content: bytes) -> str:
    return sha256(content).hexdigest()


def artifact(url: str, content: bytes | None = None, **fields: object) -> Artifact:
    """`content` pins its sum."""
    values: dict[str, object] = {
        "component": "tool",
        "version": "v1.2.3",
        "arch": "amd64",
        "members": {"": "usr/local/bin/tool"},
        "mode": 0o755,
        "sha256": hexsum(content) if content is not None else "",
    }
    return Artifact(url=url, **{**values, **fields})  # type: ignore[arg-type]


def docker_archive(tags: list[str], layers: list[bytes] | None = None, arch: str = "amd64") -> bytes:
    layers = [tar([entry("etc/motd", b"hello")])] if layers is None else layers
    config = json.dumps(
        {"architecture": arch, "rootfs": {"diff_ids": [f"sha256:{hexsum(layer)}" for layer in layers]}}
    ).encode()
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": f"{hexsum(config)}.json", "RepoTags": tags, "Layers": names}]
    return tar(
        [
            *(entry(name, layer) for name, layer in zip(names, layers, strict=True)),
            entry(f"{hexsum(config)}.json", config),
            entry("manifest.json", json.dumps(manifest).encode()),
        ]
    )


class Oci:
    """An OCI layout under construction."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: list[dict[str, object]] = []

    def blob(self, content: bytes) -> str:
        self.blobs[f"blobs/sha256/{hexsum(content)}"] = content
        return f"sha256:{hexsum(content)}"

    def image(self, arch: str, layer: bytes = b"layer") -> str:
        """The digest of a new image's manifest."""
        config = self.blob(json.dumps({"architecture": arch}).encode())
        manifest = {"config": {"digest": config}, "layers": [{"digest": self.blob(layer)}]}
        return self.blob(json.dumps(manifest).encode())

    def index(self, digests: list[str]) -> str:
        return self.blob(json.dumps({"manifests": [{"digest": digest} for digest in digests]}).encode())

    def name(self, digest: str, **annotations: str) -> None:
        names = {key.replace("__", ".").replace("_", "."): value for key, value in annotations.items()}
        self.manifests.append({"digest": digest, "annotations": names})

    def tar(self) -> bytes:
        return tar(
            [
                entry("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'),
                *(entry(name, content) for name, content in self.blobs.items()),
                entry("index.json", json.dumps({"manifests": self.manifests}).encode()),
            ]
        )
