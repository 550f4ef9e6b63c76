"""A real registry on loopback (Debian's docker-registry), and images pushed to it by its own protocol."""

import gzip
import hashlib
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.patience import PATIENCE, soon
from tests.unit.cache.archives import entry, tar

PROGRAM = shutil.which("docker-registry")
# Of the password `secret`; the registry takes bcrypt alone.
USERS = "ann:$2y$05$NH.sGKvyWsOnGbzK3Dk4zOwen1ZtFCB8sT79Vr9bZXXjCkxjkWEK.\n"
_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker.distribution.manifest"


@dataclass(frozen=True)
class Registry:
    """address: host and port. folder: where it keeps its files."""

    address: str
    folder: Path

    def push(
        self, name: str, content: Mapping[str, bytes], tag: str = "", docker: bool = False, files: bool = True
    ) -> str:
        """An image index with one image an architecture, each of one layer; the index's digest.

        files: whether the contents are those of a file in the layer; else they are the layer, a tar.
        """
        layers = {arch: tar([entry("file", each)]) if files else each for arch, each in content.items()}
        entries = [
            {**self._image(name, arch, layer, docker), "platform": {"os": "linux", "architecture": arch}}
            for arch, layer in layers.items()
        ]
        kind = f"{_DOCKER}.list.v2+json" if docker else f"{_OCI}.index.v1+json"
        # What `docker buildx` adds to every image.
        attestation = {"os": "unknown", "architecture": "unknown"}
        entries.append({**self._image(name, "unknown", b"{}", docker), "platform": attestation})
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": entries}
        return str(self._manifest(name, index, tag)["digest"])

    def push_single(self, name: str, arch: str, layer: bytes, tag: str = "", docker: bool = False) -> str:
        """An image without an index; its digest."""
        return str(self._image(name, arch, tar([entry("file", layer)]), docker, tag)["digest"])

    def blob_file(self, digest: str) -> Path:
        """Where the registry keeps a blob."""
        value = digest.removeprefix("sha256:")
        return self.folder / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data"

    def _image(self, name: str, arch: str, layer: bytes, docker: bool, tag: str = "") -> dict[str, Any]:
        diff = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        config = {
            "architecture": arch,
            "os": "linux",
            "config": {"Cmd": ["/file"]},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        }
        kinds = (
            (f"{_DOCKER}.v2+json", "application/vnd.docker.container.image.v1+json", _LAYER_OF_DOCKER)
            if docker
            else (f"{_OCI}.manifest.v1+json", f"{_OCI}.config.v1+json", f"{_OCI}.layer.v1.tar+gzip")
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": kinds[0],
            "config": {"mediaType": kinds[1], **self._blob(name, json.dumps(config).encode())},
            "layers": [{"mediaType": kinds[2], **self._blob(name, gzip.compress(layer, mtime=0))}],
        }
        return self._manifest(name, manifest, tag)

    def _blob(self, name: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        _, headers = self._ask("POST", f"http://{self.address}/v2/{name}/blobs/uploads/")
        place = headers["Location"]
        self._ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content, "application/octet-stream")
        return {"digest": digest, "size": len(content)}

    def _manifest(self, name: str, document: Mapping[str, Any], tag: str) -> dict[str, Any]:
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        kind = str(document["mediaType"])
        self._ask("PUT", f"http://{self.address}/v2/{name}/manifests/{tag or digest}", body, kind)
        return {"mediaType": kind, "digest": digest, "size": len(body)}

    @staticmethod
    def _ask(method: str, url: str, body: bytes = b"", kind: str = "") -> tuple[int, Mapping[str, str]]:
        headers = {"Content-Type": kind} if kind else {}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310 - on loopback
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers


_LAYER_OF_DOCKER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@contextmanager
def serve(
    folder: Path,
    auth: Mapping[str, Any] | None = None,
    *,
    host: str = "127.0.0.1",
    tls: tuple[Path, Path] | None = None,
) -> Iterator[Registry]:
    """auth: that section of the registry's configuration. host: where it listens. tls: its certificate and key."""
    assert PROGRAM
    with socket.socket() as probe:
        probe.bind((host, 0))
        address = f"{host}:{probe.getsockname()[1]}"
    secured = {"tls": {"certificate": str(tls[0]), "key": str(tls[1])}} if tls else {}
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": address, "secret": "s", **secured},
        **({"auth": auth} if auth else {}),
    }
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        soon(lambda: _answers(address) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield Registry(address, folder / "data")
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{address}/v2/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
