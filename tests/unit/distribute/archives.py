"""Payloads as the cache makes them, and a receiver to take them, in a directory of the test's own."""

import hashlib
import io
import os
import random
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard
from ansible_collections.ohmykube.cluster.plugins.module_utils import stream
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code

NOISE = random.Random(1).randbytes(300_000)  # noqa: S311 - the same in each run
FAKE_CTR = """#!/bin/sh
# containerd's images as lines `reference sum` in a file; an archive is a list of references, one a line.
case "$*" in
*" list") echo "REF TYPE DIGEST SIZE PLATFORMS LABELS"
    while read -r ref sum; do
        echo "$ref type sha256:0 1.2 MiB linux/amd64 a=b,ohmykube.dev/payload=$sum,c=d"
    done < STORE ;;
*" import "*) sum=${6#*=}; zstd -dcq | while read -r ref; do echo "$ref $sum" >> STORE; done ;;
esac
"""


def archive(path: Path, files: Mapping[str, bytes | str], mode: int = 0o755, mtime: int = 1) -> Path:
    """A .tar.zst; a value that is text is the target of a symlink, a name that ends in / a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.mtime, info.uid, info.gid = mode, mtime, os.getuid(), os.getgid()
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    path.write_bytes(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(buffer.getvalue()))
    return path


def package(path: Path, name: str, version: str, files: Mapping[str, bytes | str], **how: int) -> Payload:
    return payload("package", archive(path / f"{name}-{version}.tar.zst", files, **how), name, version)


def image(path: Path, *references: str) -> Payload:
    """For the fake ctr."""
    file = path / f"{references[0].replace('/', '_')}.tar.zst"
    file.write_bytes(zstandard.compress("".join(f"{reference}\n" for reference in references).encode()))
    return payload("image", file, " ".join(references), "", references)


def payload(kind: str, path: Path, name: str, version: str, references: Sequence[str] = ()) -> Payload:
    content = path.read_bytes()
    return Payload(kind, name, version, hashlib.sha256(content).hexdigest(), len(content), path, tuple(references))


@dataclass(frozen=True)
class Receiver:
    """The node: its files lie below `root`, its tools are those of `bin` first. Each request is a new process."""

    root: Path
    bin: Path
    store: Path
    transport: list[str] = field(default_factory=list)  # the command line before the node's own command

    @property
    def argv(self) -> list[str]:
        remote = f"PATH={self.bin}:$PATH exec {code.command()}"  # a signal reaches it, and no shell
        return [*self.transport, remote] if self.transport else ["sh", "-c", remote]

    def ask(self, operation: str, *payloads: Payload, timeout: int = 60, **more: Any) -> dict[str, Any]:
        if operation == "receive":
            more["payloads"] = [payload.manifest() for payload in payloads]
        head = stream.request(operation, root=str(self.root), timeout=timeout, **more)
        ended = stream.send(self.argv, head, payloads, stall=30, timeout=timeout)
        return code.answer(ended.returncode, ended.stdout, ended.stderr)

    def receive(self, *payloads: Payload) -> dict[str, Any]:
        return self.ask("receive", *payloads)

    def probe(self) -> dict[str, Any]:
        return self.ask("probe", images=True)

    def start(self, *payloads: Payload) -> subprocess.Popen[bytes]:
        """A receiver that has its request and waits for bytes."""
        manifests = [payload.manifest() for payload in payloads]
        head = stream.request("receive", root=str(self.root), timeout=60, payloads=manifests)
        process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(head)
        process.stdin.flush()
        return process

    def tool(self, name: str, script: str) -> None:
        """Put a stand-in for a tool before the real one."""
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)

    @property
    def files(self) -> dict[str, bytes]:
        """All files of packages on the node."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and "ohmykube" not in path.parts
        }

    @property
    def remains(self) -> list[str]:
        """What is in the state directory beside the record and the lock."""
        state = self.root / "var/lib/ohmykube"
        return [path.name for path in state.iterdir() if path.name not in {"lock", "payloads.json"}]
