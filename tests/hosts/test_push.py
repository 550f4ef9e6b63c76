"""Pushes to a real machine that are killed, or spoilt, at random."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import stream, upkeep
from ansible_collections.ohmykube.cluster.plugins.module_utils.cache import Cache
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code

from ohmykube import COLLECTIONS, ssh
from tests.chance import FLIPS, KILLS, chance
from tests.hosts.conftest import Machines
from tests.hosts.machines import Host
from tests.unit.cache.archives import artifact, files

pytestmark = pytest.mark.hosts

PLACE, STATE = "/opt/pushed", "/var/lib/ohmykube"
NOISE = random.Random(1).randbytes(3_000_000)  # noqa: S311 - the same in each run
# Arguments: a folder to import from, then the request's head, the command, and path, sum and size of the payload.
SEND = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ansible_collections.ohmykube.cluster.plugins.module_utils import stream
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code
head, argv, path, size = Path(sys.argv[2]).read_bytes(), json.loads(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])
print(flush=True)
ended = stream.send(argv, head, [Payload("package", "x", "v1", "", size, path)], stall=30, timeout=60)
code.answer(ended.returncode, ended.stdout, ended.stderr)
"""


def push(host: Host, payload: Payload) -> None:
    head = stream.request("receive", root="/", timeout=60, payloads=[payload.manifest()])
    ended = stream.send(command(host), head, [payload], stall=30, timeout=60)
    code.answer(ended.returncode, ended.stdout, ended.stderr)


def command(host: Host) -> list[str]:
    return [*ssh.argv(host.ssh), code.command()]


def start(host: Host, payload: Payload, folder: Path) -> "subprocess.Popen[str]":
    """A push as a process group of its own that is about to send."""
    (folder / "head").write_bytes(stream.request("receive", root="/", timeout=60, payloads=[payload.manifest()]))
    argv = [str(COLLECTIONS), str(folder / "head"), json.dumps(command(host)), str(payload.path), str(payload.size)]
    process = subprocess.Popen(
        [sys.executable, "-c", SEND, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    process.stdout.readline()
    return process


def on_node(host: Host, script: str) -> str:
    return ssh.run(host.ssh, ["sh", "-c", script], timeout=60)


def package(folder: Path, version: str, contents: dict[str, bytes]) -> tuple[Payload, str]:
    """From the real cache; and what `sha256sum` says of it on a node."""
    archive = files(contents, "tar")
    (folder / f"{version}.tar").write_bytes(archive)
    url = (folder / f"{version}.tar").as_uri()
    wanted = artifact(url, archive, version=version, format="tar", members={"*": f"{PLACE[1:]}/"})
    entry = Cache(folder / "cache" / "packages").ensure(wanted)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items()))
    return Payload("package", "tool", version, entry.sha256, entry.size, entry.path), sums


def test_killed_at_any_moment_the_next_push_finishes(machines: Machines, tmp_path: Path) -> None:
    """The sender with its ssh, or the receiver on the node; from one version to another and back, twenty files each."""
    (host,) = machines(1)
    choose, seen = chance("kills during push"), Counter[str]()
    versions = [
        package(tmp_path, f"v{number}.0.0", {f"f{file + number}": NOISE[file:] for file in range(20)})
        for number in (1, 2)
    ]
    push(host, versions[0][0])
    begin = time.monotonic()
    process = start(host, versions[1][0], tmp_path)
    began = time.monotonic() - begin
    process.communicate(timeout=60)
    assert process.returncode == 0
    length = time.monotonic() - begin - began
    tries = 0
    while seen["sender"] + seen["receiver"] < KILLS:
        payload, sums = versions[tries % 2]
        tries += 1
        process = start(host, payload, tmp_path)
        where = choose.choice(["sender", "receiver"])
        time.sleep(choose.random() * length)
        seen[where if process.poll() is None else "had ended"] += 1
        if where == "sender":
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGKILL)
        else:
            on_node(host, "pkill -KILL -f '[s]ys.stdin.buffer.read'; true")  # which is not pkill itself
        process.communicate(timeout=60)
        seen["left something in staging"] += bool(on_node(host, f"find {STATE}/staging 2>/dev/null; true"))
        push(host, payload)
        assert on_node(host, f"cd {PLACE} && sha256sum *") == sums
        assert on_node(host, f"find {STATE} -type f | sort").split() == [f"{STATE}/lock", f"{STATE}/payloads.json"]
        assert [why for _, why in upkeep.verify([upkeep.Folder(tmp_path / "cache" / "packages")], str) if why] == []
    print(f"kills during push: {dict(seen)}, of a push of {length:.2f} s")


def test_no_flipped_bit_gets_in(machines: Machines, tmp_path: Path) -> None:
    """In the cached file, and in a copy that stands for bytes that change on their way."""
    (host,) = machines(1)
    choose = chance("flips in pushed payloads")
    payload, _ = package(tmp_path, "v1.0.0", {"one": NOISE[:200_000], "two": b"text " * 50_000})
    right = payload.path.read_bytes()
    nothing = on_node(host, f"find {PLACE} {STATE} -type f 2>/dev/null; true")
    assert nothing == ""
    for _ in range(FLIPS):
        wrong, bit = bytearray(right), choose.randrange(len(right) * 8)
        wrong[bit // 8] ^= 1 << bit % 8
        copy = tmp_path / "copy"
        copy.write_bytes(wrong)
        with pytest.raises(OhmykubeError) as caught:
            push(host, replace(payload, path=copy))
        assert caught.value.code == "payload.corrupt"
        assert on_node(host, f"find {PLACE} {STATE} -type f 2>/dev/null; true").split() == [f"{STATE}/lock"]
    push(host, payload)
    assert on_node(host, f"ls {PLACE}").split() == ["one", "two"]
    print(f"{FLIPS} flips in pushed payloads, all noticed")
