"""Lima machines that start, stop, hang and crash."""

import os
import subprocess

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.lima import power
from tests.unit.providers.lima_lab import Lab, kill


def test_a_machine_that_cannot_start_says_why_and_keeps_its_logs(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    lab.faults("start dev-worker-1", "exit", "exit")
    with pytest.raises(OhmykubeError) as failed:
        provider.start("dev-worker-1")
    assert failed.value.code == "lima.start"
    assert "host agent process has exited" in failed.value.message
    assert "qemu exited" in failed.value.context["host_agent"]
    assert failed.value.context["console"] == "Kernel panic"
    assert (lab.home / "clusters" / "dev" / "lima-logs" / "dev-worker-1" / "ha.stderr.log").exists()
    provider.start("dev-worker-1")


def test_a_start_that_fails_once_is_tried_again(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    lab.faults("start dev-worker-1", "exit")
    provider.start("dev-worker-1")
    assert provider.machines()[0].status == "running"


def test_a_machine_that_runs_degraded_is_given_more_time(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    lab.faults("start dev-worker-1", "degraded")
    (lab.stub / "ssh").write_text(f"[ -e {lab.stub}/tried ] || {{ touch {lab.stub}/tried; exit 255; }}\n")
    provider.start("dev-worker-1")
    assert "lima-boot-done" in (lab.stub / "ssh.calls").read_text()
    assert len(lab.calls("start")) == 1


def test_a_machine_that_never_boots_keeps_running_for_a_look(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "_GRACE", 0.1)
    provider = lab.ready("dev", "dev-worker-1")
    lab.faults("start dev-worker-1", "degraded")
    (lab.stub / "ssh").write_text("exit 1\n")
    with pytest.raises(OhmykubeError) as failed:
        provider.start("dev-worker-1")
    assert "degraded" in failed.value.message
    assert "probe failed" in failed.value.context["host_agent"]
    [machine] = provider.machines()
    assert machine.status == "broken"
    assert "not been seen to boot" in machine.detail
    assert machine.ssh is not None


def test_a_machine_that_runs_is_waited_for(lab: Lab) -> None:
    """limactl would return at once, although the start that began it may not have seen it boot."""
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    provider.start("dev-worker-1")
    assert len(lab.calls("start")) == 1
    assert "lima-boot-done" in (lab.stub / "ssh.calls").read_text()


def test_a_machine_that_lima_alone_calls_running_is_not_running_yet(lab: Lab) -> None:
    """As after a run that was killed during the boot: until its end, the host key is not the pinned one."""
    provider = lab.ready("dev", "dev-worker-1")
    environment = {**os.environ, "LIMA_HOME": str(lab.home / "lima")}
    subprocess.run(["limactl", "start", "dev-worker-1"], env=environment, check=True, capture_output=True)
    assert provider.machines()[0].status == "broken"
    provider.start("dev-worker-1")
    assert provider.machines()[0].status == "running"


def test_a_machine_that_goes_off_while_it_is_waited_for_is_an_error_at_once(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    pid = lab.home / "lima" / "dev-worker-1" / "ha.pid"
    (lab.stub / "ssh").write_text(f"kill -INT $(cat {pid}); sleep 0.2; exit 255\n")
    with pytest.raises(OhmykubeError) as failed:
        provider.start("dev-worker-1")
    assert "it went off" in failed.value.message


def test_broken_is_believed_only_when_it_stays(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    lab.faults("list dev-worker-1", "broken", "broken")
    [machine] = provider.machines()
    assert machine.status == "running"
    lab.faults("list dev-worker-1", *["broken"] * 20)
    [machine] = provider.machines()
    assert (machine.status, machine.detail) == ("broken", "failed to get Info from ha.sock")


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_what_a_dead_host_agent_leaves_running_is_ended_by_force(lab: Lab, verb: str) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    kill(lab.home / "lima" / "dev-worker-1" / "ha.pid")
    [machine] = provider.machines()
    assert (machine.status, machine.detail) == ("broken", "qemu driver is running but host agent is not")
    if verb == "start":
        provider.start("dev-worker-1")
        assert provider.machines()[0].status == "running"
    else:
        provider.stop("dev-worker-1")
        assert provider.machines()[0].status == "stopped"
    assert ["stop", "--force", "dev-worker-1"] in [call[2:] for call in lab.calls("stop")]


def test_a_guest_that_does_not_listen_is_stopped_by_force(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    (lab.stub / "deaf").touch()
    provider.stop("dev-worker-1")
    assert provider.machines()[0].status == "stopped"


def test_a_power_cut_does_not_ask_the_guest_and_is_no_harm_to_the_next_start(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1", "dev-worker-2")
    for name in ("dev-worker-1", "dev-worker-2"):
        provider.start(name)
    provider.cut_power("dev-worker-1")
    provider.cut_power("dev-worker-1")
    assert [machine.status for machine in provider.machines()] == ["stopped", "running"]
    assert all("--force" in argv for argv in lab.calls("stop"))
    provider.start("dev-worker-1")
    assert [machine.status for machine in provider.machines()] == ["running", "running"]


def test_what_is_not_there_cannot_be_started(lab: Lab) -> None:
    """limactl would make a machine from its default template."""
    with pytest.raises(OhmykubeError) as failed:
        lab.ready("dev").start("dev-worker-1")
    assert failed.value.code == "lima.no-machine"
