# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The node's end of `distribute`. It is sent at the head of the stream that it reads (see remote/code.py).

Standard library only. It reads one JSON line (the request), then the payloads' bytes back to back, and answers with
one JSON line: `{"ok": {…}}` or `{"error": {code, message, hint, context}}`.

What it unpacks is recorded in /var/lib/ohmykube/payloads.json. The record is a memory, not the truth: a package counts
as present only while each of its files is there as it was written, an image only while containerd says so.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.ohmykube.cluster.plugins.module_utils.receiver_files import (
    clone_directory,
    facts,
    move,
    tree,
    unpack,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.receiver_images import Importer, loaded_images
from ansible_collections.ohmykube.cluster.plugins.module_utils.receiver_payloads import (
    Failure,
    disk_full,
    payload_source,
)
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote.start import KEPT

LOCK_TIMEOUT = 60  # seconds that another receiver may hold the node; below the sender's stall limit
STATE = "var/lib/ohmykube"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
TOOLS = {
    "package": {"zstd": "apt-get install zstd", "tar": "apt-get install tar"},
    "image": {"ctr": "the role ohmykube.cluster.containerd"},
}


class Record:
    """payloads.json: per package its version, sum, files with [size, mode, mtime in ns], directories made for it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.path.read_bytes())["payloads"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            hint = f"remove {self.path} on the node and run again: all packages are pushed anew"
            raise Failure("node.record-corrupt", f"{self.path} cannot be read: {error}", hint) from error

    def write(self, payloads: Mapping[str, Any]) -> None:
        made = self.path.with_name(f".{self.path.name}.new")
        with made.open("w") as file:
            json.dump({"payloads": payloads}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        made.replace(self.path)


class Node:
    """This machine; `root` is where its files begin (other than / for an image that is being built)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / STATE
        self.staging = self.state / "staging"
        self.record = Record(self.state / "payloads.json")

    def probe(self, *, images: bool) -> dict[str, Any]:
        """What is here, whoever asks for what; changes nothing."""
        packages = {
            name: {"version": entry["version"], "sha256": entry["sha256"] if self.intact(entry) else ""}
            for name, entry in self.record.read().items()
        }
        machine = os.uname().machine
        return {
            "arch": ARCHITECTURES.get(machine, machine),
            "packages": packages,
            "images": loaded_images() if images else {},
        }

    def intact(self, entry: Mapping[str, Any]) -> bool:
        try:
            return all(facts(self.root / path) == recorded for path, recorded in entry["files"].items())
        except OSError:
            return False

    def receive(self, payloads: Sequence[Mapping[str, Any]], stream: BinaryIO) -> dict[str, Any]:
        """Take the payloads in their order. Of one that fails nothing is installed; those before it stay."""
        for kind in sorted({payload["kind"] for payload in payloads}):
            for tool, remedy in TOOLS[kind].items():
                if not shutil.which(tool):
                    raise Failure(f"node.{tool}-missing", f"the node has no {tool}", f"on the node: {remedy}")
        with self.locked(), Importer() as importer:
            for payload in payloads:
                with payload_source(payload, stream) as source:
                    if payload["kind"] == "package":
                        self.install(payload, source)
                    else:
                        importer.load(payload, source, self.staging)
        return {}

    def install(self, payload: Mapping[str, Any], source: BinaryIO) -> None:
        """Unpack beside, verify, and only then rename each file into place."""
        name = payload["name"]
        folder = self.staging / "package"
        folder.mkdir()
        unpack(payload, source, folder)
        files, directories = tree(folder)
        record = self.record.read()
        for owner, entry in record.items():
            for path in sorted(files.keys() & entry["files"].keys()) if owner != name else ():
                raise Failure(
                    "payload.conflict", f"{name} brings /{path}, which belongs to {owner}", payload=name, path=path
                )
        old = record.get(name, {"files": {}, "directories": []})
        absent = [path for path in directories if not (self.root / path).is_dir()]
        entry = {
            "version": payload["version"],
            "sha256": "",
            "files": {**old["files"], **files},
            "directories": sorted({*old["directories"], *absent}),
        }
        # Recorded before the first rename, with no sum yet: killed from here on, it leaves nothing that is not known.
        self.record.write({**record, name: entry})
        for path in absent:
            clone_directory(folder / path, self.root / path)
        for path in files:
            move(folder / path, self.root / path)
        self.discard(old["files"].keys() - files.keys())
        self.record.write({**record, name: {**entry, "sha256": payload["sha256"], "files": files}})
        shutil.rmtree(folder)

    def remove(self) -> dict[str, Any]:
        """Remove every recorded file, then the directories that were made for them and are empty now."""
        if self.root == Path("/"):
            shutil.rmtree(KEPT, ignore_errors=True)  # our own code too: what is needed of it has been read
        if not self.state.exists():
            return {}
        with self.locked():
            entries = self.record.read().values()
            for entry in entries:
                self.discard(entry["files"])
            made = {path for entry in entries for path in entry["directories"]}
            self.record.path.unlink(missing_ok=True)
            (self.state / "lock").unlink()
        for path in [*sorted(made, reverse=True), STATE]:
            with suppress(OSError):  # not empty: somebody else's files live there too
                (self.root / path).rmdir()
        return {}

    def discard(self, paths: Iterable[str]) -> None:
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One receiver at a time, on clean ground: what a killed one left in the staging directory goes first."""
        self.state.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + LOCK_TIMEOUT
        with (self.state / "lock").open("w") as lock:
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if time.monotonic() > deadline:
                    raise Failure("node.busy", "another distribution to this node is under way", "wait for its end")
                time.sleep(0.1)
            shutil.rmtree(self.staging, ignore_errors=True)
            self.staging.mkdir(mode=0o700)
            try:
                yield
            finally:
                shutil.rmtree(self.staging, ignore_errors=True)


def answer(request: Mapping[str, Any], stream: BinaryIO) -> dict[str, Any]:
    node = Node(Path(request["root"]))
    try:
        if request["operation"] == "receive":
            return {"ok": node.receive(request["payloads"], stream)}
        return {"ok": node.remove() if request["operation"] == "remove" else node.probe(images=request["images"])}
    except Failure as failure:
        return {"error": failure.answer}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"error": disk_full(str(error)).answer}
        hint = "run the task with become: true" if isinstance(error, PermissionError) else ""
        return {"error": Failure("node.failed", str(error), hint).answer}


def interrupt(number: int, _frame: object) -> None:
    """An exception, so that what was begun is cleaned up on the way out."""
    code = "node.timeout" if number == signal.SIGALRM else "node.interrupted"
    raise Failure(code, f"the receiver was ended by {signal.Signals(number).name}")


def main() -> int:
    os.environ["LC_ALL"] = "C"
    request = json.loads(sys.stdin.buffer.readline())
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    signal.alarm(request["timeout"])
    answered = answer(request, sys.stdin.buffer)
    signal.alarm(0)
    print(json.dumps(answered), flush=True)
    return int("error" in answered)
