"""Asking a node over a real sshd, and the API server on whichever control plane answers."""

import json
from pathlib import Path

import pytest

from ohmykube import nodes, ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import Machine, SshTarget
from tests.unit.sshd import Sshd


@pytest.fixture
def target(sshd: Sshd, tmp_path: Path) -> SshTarget:
    ssh.pin_host_key(tmp_path / "known_hosts", f"[127.0.0.1]:{sshd.port}", sshd.host_key)
    return SshTarget("127.0.0.1", sshd.user, sshd.key, tmp_path / "known_hosts", sshd.port, f"[127.0.0.1]:{sshd.port}")


def test_a_module_answers_with_what_it_returns(target: SshTarget) -> None:
    seen = nodes.ask(target, "cluster_smoke", check_mode=True, timeout=30)
    assert seen == {"changed": False, "checks": [], "table": [], "load_balancers": []}


def test_the_modules_own_error_comes_back(target: SshTarget) -> None:
    with pytest.raises(OhmykubeError) as caught:
        nodes.ask(target, "cluster_smoke", {"state": "absent"}, timeout=30)
    assert caught.value.code == "kubectl.failed"


def plane(name: str, user: str = "root") -> Machine:
    return Machine(name, "running", ssh=SshTarget(name, user, Path("key"), Path("known_hosts")))


def seen(name: str, ready: str, *, unschedulable: bool = False) -> dict[str, object]:
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"kubeletVersion": "v1.36.4"}}
    return {"metadata": {"name": name}, "spec": {"unschedulable": True} if unschedulable else {}, "status": status}


class Planes:
    """What each says when it is asked; None: it cannot be reached."""

    def __init__(self, said: dict[str, str | None]) -> None:
        self.said = said
        self.asked: list[tuple[str, str]] = []

    def run(self, target: SshTarget, remote: list[str], *, timeout: float, stdin: str = "") -> str:
        assert timeout > 0
        self.asked.append((target.host, remote[0]))
        said = self.said[target.host]
        if said is None:
            raise OhmykubeError("ssh.unreachable", f"{target.host} is out of reach")
        return said


def test_the_first_control_plane_that_answers_tells_of_all_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [seen("a", "True"), seen("b", "Unknown"), seen("c", "True", unschedulable=True)]
    planes = Planes({"cp1": None, "cp2": "no json", "cp3": json.dumps({"items": listed}), "cp4": ""})
    monkeypatch.setattr(ssh, "run", planes.run)
    mute = Machine("cp0", "running")  # one without ssh
    told, problem = nodes.api_nodes([mute, plane("cp1"), plane("cp2"), plane("cp3", "ubuntu"), plane("cp4")])
    assert {name: node["node"] for name, node in told.items()} == {
        "a": "Ready",
        "b": "NotReady",
        "c": "Ready,SchedulingDisabled",
    }
    assert problem == ""
    assert planes.asked == [("cp1", "/usr/local/bin/kubectl"), ("cp2", "/usr/local/bin/kubectl"), ("cp3", "sudo")]


def test_why_no_control_plane_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "run", Planes({"cp1": "{", "cp2": None}).run)
    assert nodes.api_nodes([plane("cp1"), plane("cp2")]) == ({}, "the API server does not answer: cp2 is out of reach")
    assert nodes.api_nodes([]) == ({}, "no control plane runs")
