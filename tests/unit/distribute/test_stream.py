"""The controller's end: limits, ends and the way over ssh."""

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils import stream
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.payloads import Payload
from ansible_collections.ohmykube.cluster.plugins.module_utils.remote import code

from ohmykube import ssh
from ohmykube.providers.base import SshTarget
from tests.patience import PATIENCE
from tests.unit.distribute.archives import Receiver, package
from tests.unit.sshd import Sshd


def sparse(path: Path, size: int) -> Payload:
    path.touch()
    with path.open("r+b") as file:
        file.truncate(size)
    return Payload("package", "big", "v1.0.0", "0" * 64, size, path)


def test_everything_arrives_in_order(tmp_path: Path) -> None:
    parts = [tmp_path / name for name in "ab"]
    for part in parts:
        part.write_text(part.name * 100_000)
    payloads = [Payload("package", "x", "v1", "", 100_000, part) for part in parts]
    ended = stream.send(["cat"], b"head", payloads, stall=PATIENCE, timeout=PATIENCE)
    assert ended == stream.Ended(0, "head" + "a" * 100_000 + "b" * 100_000, "")


def test_a_command_that_stops_reading_still_answers(tmp_path: Path) -> None:
    argv = ["sh", "-c", "head -c 4; echo full >&2; exit 3"]
    ended = stream.send(argv, b"head", [sparse(tmp_path / "big", 10_000_000)], stall=PATIENCE, timeout=PATIENCE)
    assert ended == stream.Ended(3, "head", "full\n")


def test_a_node_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(OhmykubeError) as caught:
        stream.send(["sleep", "1000"], b"", [sparse(tmp_path / "big", 10_000_000)], stall=0.2, timeout=PATIENCE)
    assert caught.value.code == "stream.stalled"


@pytest.mark.parametrize("size", [0, 10_000_000])
def test_the_whole_has_a_time_limit(tmp_path: Path, size: int) -> None:
    with pytest.raises(OhmykubeError) as caught:
        stream.send(["sleep", "1000"], b"", [sparse(tmp_path / "big", size)], stall=PATIENCE, timeout=0.3)
    assert caught.value.code == "stream.timeout"


def test_a_file_shorter_than_the_cache_says_is_an_error(tmp_path: Path) -> None:
    short = replace(sparse(tmp_path / "short", 10), size=11)
    with pytest.raises(OhmykubeError, match="1 bytes shorter") as caught:
        stream.send(["cat"], b"", [short], stall=PATIENCE, timeout=PATIENCE)
    assert caught.value.code == "cache.damaged"


def test_memory_stays_constant(tmp_path: Path) -> None:
    big = sparse(tmp_path / "big", 400_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stream.send(["sh", "-c", "cat >/dev/null"], b"", [big], stall=PATIENCE, timeout=PATIENCE)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000  # KiB


@pytest.mark.parametrize("noise", ["", "Welcome!\n{}\n[1]\n7\n"])
def test_the_answer_is_found_among_other_lines(noise: str) -> None:
    assert code.answer(0, noise + '{"ok": {"a": 1}}\n', "warning") == {"a": 1}


def test_no_answer_is_an_error_with_the_shells_words() -> None:
    with pytest.raises(OhmykubeError, match="python3: not found") as caught:
        code.answer(127, "", "sh: 1: python3: not found\n")
    assert caught.value.code == "node.no-answer"
    assert caught.value.hint == "python3 must be installed on the node"


def test_the_command_line_stays_short() -> None:
    assert len(code.command("/usr/bin/python3")) < 120


def test_a_receiver_that_runs_too_long_ends_itself(receiver: Receiver, tmp_path: Path) -> None:
    """Even if nobody is there any more to end it."""
    payload = package(tmp_path, "tool", "v1.0.0", {"tool": b""})
    head = stream.request("receive", root=str(receiver.root), timeout=1, payloads=[payload.manifest()])
    process = subprocess.Popen(receiver.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(head)
    process.stdin.flush()
    assert process.wait(timeout=PATIENCE) == 1
    assert receiver.remains == []


def test_it_goes_over_ssh(sshd: Sshd, receiver: Receiver, tmp_path: Path) -> None:
    ssh.pin_host_key(tmp_path / "known_hosts", "127.0.0.1", sshd.host_key)
    target = SshTarget("127.0.0.1", sshd.user, sshd.key, tmp_path / "known_hosts", sshd.port)
    receiver = replace(receiver, transport=ssh.argv(target))
    payload = package(tmp_path, "tool", "v1.0.0", {"usr/local/bin/tool": sys.executable.encode() * 10_000})
    receiver.receive(payload)
    assert payload.is_on(receiver.probe())
