"""Faults begin, are told of, and end: by their time, by hand, by a reboot, and when they only half began."""

import json
import subprocess
import sys

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

from tests.unit.faults.node import PEER, Node

KINDS = {
    "partition": {"peers": [PEER]},
    "delay": {"peers": [PEER], "loss": 5.0},
    "fill-disk": {},
    "skew-clock": {"skew": -300.0},
}
all_kinds = pytest.mark.parametrize("kind", KINDS)


def begin(node: Node, kind: str, **options: object) -> dict[str, object]:
    return node.ask(fault=kind, **{"seconds": 30.0, **KINDS[kind], **options})


def kinds(node: Node) -> list[object]:
    return [(fault["kind"], fault["seconds"]) for fault in node.ask(state="absent", check_mode=True)["faults"]]


@all_kinds
def test_a_fault_ends_by_itself_as_its_timer_was_there_first(node: Node, kind: str) -> None:
    said = begin(node, kind)
    assert said["changed"]
    assert node.calls[0].startswith(f"timer ohmykube-chaos-{kind}-")
    assert not node.whole
    assert kinds(node) == [(kind, 30.0)]
    node.wait(29)
    assert kinds(node) == [(kind, 1.0)]
    node.wait(1)
    assert kinds(node) == []
    assert node.whole


@all_kinds
def test_it_ends_at_once_by_hand_and_is_not_there_to_end_twice(node: Node, kind: str) -> None:
    begin(node, kind)
    assert node.ask(state="absent", check_mode=True)["changes"] == [f"{kind} healed"]
    assert not node.whole
    assert node.ask(state="absent")["changes"] == [f"{kind} healed"]
    assert node.whole
    assert not node.ask(state="absent")["changed"]


@all_kinds
def test_check_mode_refuses_and_promises_alike_but_does_nothing(node: Node, kind: str) -> None:
    planned = node.ask(fault=kind, check_mode=True, seconds=30.0, **KINDS[kind])
    assert node.whole
    assert node.calls == []
    assert begin(node, kind)["diff"] == planned["diff"]


@all_kinds
def test_the_same_again_begins_its_time_anew(node: Node, kind: str) -> None:
    begin(node, kind)
    node.wait(20)
    begin(node, kind)
    assert len(node.timers) == 1
    node.wait(20)
    assert kinds(node) == [(kind, 10.0)]
    node.wait(10)
    assert node.whole


@pytest.mark.parametrize("kind", ["partition", "delay", "fill-disk"])
def test_the_same_again_leaves_no_moment_without_it(node: Node, kind: str) -> None:
    begin(node, kind)
    node.calls.clear()
    begin(node, kind)
    assert not [call for call in node.calls if call.startswith("iptables ") or "delete dev" in call]
    assert "systemctl stop ohmykube-chaos-filler.service" not in node.calls


def test_another_of_the_kind_replaces_it(node: Node) -> None:
    begin(node, "fill-disk")
    begin(node, "fill-disk", path="/mnt/small")
    assert node.filled == "/mnt/small"
    begin(node, "skew-clock", skew=3600.0)
    begin(node, "skew-clock", skew=60.0)
    assert node.clock == 60
    node.wait(30)
    assert node.whole


@all_kinds
def test_a_reboot_leaves_nothing(node: Node, kind: str) -> None:
    begin(node, kind)
    node.reboot()
    node.keepers = ["chrony.service"]
    assert kinds(node) == []
    assert node.whole


def test_faults_of_several_kinds_are_there_side_by_side(node: Node) -> None:
    for kind in KINDS:
        begin(node, kind)
    assert [kind for kind, _ in kinds(node)] == list(KINDS)
    assert node.ask(fault="delay", state="absent")["changes"] == ["delay healed"]
    node.ask(state="absent")
    assert node.whole


@all_kinds
def test_what_fails_to_begin_is_undone(node: Node, kind: str) -> None:
    node.breaks = (
        "iptables-restore",
        "tc qdisc replace",
        "systemd-run --unit=ohmykube-chaos-filler",
        "systemctl stop chrony",
    )
    with pytest.raises(OhmykubeError, match="it broke"):
        begin(node, kind)
    assert node.whole


@all_kinds
def test_nothing_begins_without_a_timer(node: Node, kind: str) -> None:
    node.breaks = (f"systemd-run --unit=ohmykube-chaos-{kind}-",)
    with pytest.raises(OhmykubeError, match="it broke"):
        begin(node, kind)
    assert not [call for call in node.calls if not call.startswith("timer")]
    node.ask(state="absent")
    assert node.whole


@pytest.mark.parametrize("slow", [1.5, 3.0])
def test_a_machine_that_takes_longer_than_the_fault_would_last_is_healed(node: Node, slow: float) -> None:
    node.slow = slow
    with pytest.raises(OhmykubeError) as caught:
        begin(node, "partition", seconds=2.0)
    assert caught.value.code == "fault.too-slow"
    node.wait(5)
    assert node.whole


def test_what_cannot_be_undone_is_told_and_its_timer_tries_again(node: Node) -> None:
    begin(node, "delay")
    node.breaks = ("tc qdisc delete",)
    with pytest.raises(OhmykubeError, match="it broke") as caught:
        node.ask(state="absent")
    assert caught.value.code == "fault.stays"
    node.wait(30)
    assert node.whole


@pytest.mark.parametrize("kind", ["partition", "delay", "fill-disk"])
def test_one_without_a_record_is_found_and_ended(node: Node, kind: str) -> None:
    begin(node, kind)
    (node.root / f"run/ohmykube-chaos/{kind}.json").unlink()
    assert kinds(node) == [(kind, None)]
    node.ask(state="absent")
    assert node.whole


def test_a_partition_is_from_peers_and_pods_behind_them_but_not_from_ssh_of_the_asker(node: Node) -> None:
    begin(node, "partition", peers=[PEER, "fd00::2"])
    assert node.chains == {
        "iptables OHMYKUBE-CHAOS-IN": "-A OHMYKUBE-CHAOS-IN -s 10.0.0.1 -p tcp -m tcp --dport 22 -j RETURN\n"
        "-A OHMYKUBE-CHAOS-IN -s 10.0.0.2 -j DROP\n-A OHMYKUBE-CHAOS-IN -s 10.244.1.0/24 -j DROP\n",
        "iptables OHMYKUBE-CHAOS-OUT": "-A OHMYKUBE-CHAOS-OUT -d 10.0.0.1 -p tcp -m tcp --sport 22 -j RETURN\n"
        "-A OHMYKUBE-CHAOS-OUT -d 10.0.0.2 -j DROP\n-A OHMYKUBE-CHAOS-OUT -d 10.244.1.0/24 -j DROP\n",
        "ip6tables OHMYKUBE-CHAOS-IN": "-A OHMYKUBE-CHAOS-IN -s fd00::2 -j DROP\n",
        "ip6tables OHMYKUBE-CHAOS-OUT": "-A OHMYKUBE-CHAOS-OUT -d fd00::2 -j DROP\n",
    }
    assert node.jumps == list(node.chains)


def test_a_partition_that_only_half_began_is_made_whole_and_ends(node: Node) -> None:
    begin(node, "partition")
    node.jumps.remove("iptables OHMYKUBE-CHAOS-OUT")
    begin(node, "partition")
    assert sorted(node.jumps) == sorted(node.chains)
    del node.chains["iptables OHMYKUBE-CHAOS-IN"]
    node.jumps.remove("iptables OHMYKUBE-CHAOS-IN")
    node.ask(state="absent")
    assert node.whole


def test_the_record_says_how_to_undo_it_by_hand(node: Node) -> None:
    begin(node, "delay")
    record = json.loads((node.root / "run/ohmykube-chaos/delay.json").read_text())
    assert record["undo"] == [["tc", "qdisc", "delete", "dev", "eth0", "root", "handle", "6f6d:"]]
    assert record["detail"] == "delay 100ms loss 5% on eth0"


def test_the_clock_comes_back_whoever_set_it_meanwhile(node: Node) -> None:
    begin(node, "skew-clock")
    assert (node.clock, node.keepers) == (-300, [])
    node.clock = 12.0
    node.wait(30)
    assert node.whole


@pytest.mark.parametrize(
    ("setting", "options", "code", "words"),
    [
        ({"container": "lxc"}, {"fault": "skew-clock"}, "fault.shared", "system container (lxc): it shares the clock"),
        ({"container": "lxc"}, {"fault": "fill-disk"}, "fault.shared", "it shares the disk"),
        ({}, {"fault": "fill-disk", "path": "/nowhere"}, "fault.path", "no folder /nowhere"),
        ({}, {"fault": "fill-disk", "path": "/mnt/share"}, "fault.file-system", "is on virtiofs"),
        ({}, {"fault": "fill-disk", "path": "/run"}, "fault.file-system", "is memory"),
        ({"netem": False}, {"fault": "delay", "peers": [PEER]}, "fault.kernel", "no sch_netem"),
        ({"queues": {"eth0": "8001:"}}, {"fault": "delay", "peers": [PEER]}, "fault.queue", "has a queue already"),
        ({}, {"fault": "partition"}, "fault.peers", "no other machine"),
        ({}, {"fault": "partition", "peers": ["10.0.0.2; flush"]}, "fault.peers", "does not appear to be"),
        ({}, {"fault": "partition", "peers": [PEER], "seconds": 86401.0}, "fault.options", "2 to 86400 seconds"),
        ({}, {"fault": "delay", "peers": [PEER], "loss": 101.0}, "fault.options", "0 to 100 percent"),
        ({}, {"fault": "skew-clock", "skew": 0.5}, "fault.options", "a second at least"),
        ({}, {}, "fault.options", "no fault is named"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    node: Node, setting: dict[str, object], options: dict[str, object], code: str, words: str
) -> None:
    for name, value in setting.items():
        setattr(node, name, value)
    with pytest.raises(OhmykubeError) as caught:
        node.ask(**options)
    assert caught.value.code == code
    assert words in caught.value.message
    assert node.calls == []


@pytest.mark.parametrize("environment", ["LANG=C\0", "SSH_CONNECTION=10.0.0.5 50000 10.0.0.5 22\0"])
@pytest.mark.parametrize("kind", ["fill-disk", "skew-clock"])
def test_the_computer_that_asks_keeps_its_disk_and_clock(node: Node, environment: str, kind: str) -> None:
    node.write("/proc/70/environ", environment)
    with pytest.raises(OhmykubeError, match="the computer that asks") as caught:
        begin(node, kind)
    assert caught.value.code == "fault.shared"
    assert node.calls == []


def test_a_container_may_fill_a_little_memory_of_its_own(node: Node) -> None:
    node.container = "systemd-nspawn"
    begin(node, "fill-disk", path="/mnt/small")
    assert node.filled == "/mnt/small"


def test_the_filler_is_a_program_by_itself(node: Node) -> None:
    begin(node, "fill-disk")
    (call,) = [call for call in node.calls if call.startswith("systemd-run")]
    source = call.partition(" -c ")[2].rpartition(" ")[0]
    done = subprocess.run([sys.executable, "-I", "-c", source, "/nowhere"], capture_output=True, text=True, check=False)
    assert "FileNotFoundError" in done.stderr.splitlines()[-1]
