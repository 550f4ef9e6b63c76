"""What failed and died leaves of Lima machines, and what is none of ours."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from ohmykube.errors import OhmykubeError
from tests.unit.providers.lima_lab import GIB, Lab, alive, worker


def test_nothing_is_left_of_a_create_that_fails(lab: Lab) -> None:
    provider = lab.ready("dev")
    lab.faults("create dev-worker-1", "the server says no")
    with pytest.raises(OhmykubeError) as failed:
        provider.create(replace(worker("dev-worker-1"), disks=(GIB,)))
    assert failed.value.code == "lima.failed"
    assert "the server says no" in failed.value.message
    assert not (lab.home / "lima" / "dev-worker-1").exists()
    assert not list((lab.home / "lima" / "_disks").iterdir())
    provider.create(worker("dev-worker-1"))


def test_the_private_host_key_is_in_no_error(lab: Lab) -> None:
    provider = lab.ready("dev")
    lab.faults("create dev-worker-1", "leak")
    with pytest.raises(OhmykubeError) as failed:
        provider.create(worker("dev-worker-1"))
    assert "PRIVATE KEY" not in str(failed.value.as_dict())
    assert "b3BlbnNzaC1rZXktdjE" not in str(failed.value.as_dict())


@pytest.mark.parametrize("template_written", [True, False])
def test_a_create_that_died_is_made_anew(lab: Lab, template_written: bool) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    folder = lab.home / "lima" / "dev-worker-1"
    (folder / "ohmykube.created").unlink()
    if not template_written:
        (folder / "lima.yaml").unlink()
    assert len(provider.machines()) == template_written
    provider.create(worker("dev-worker-1"))
    assert (folder / "ohmykube.created").exists()


@pytest.mark.parametrize("verb", ["start", "delete"])
def test_a_stranger_that_has_a_recycled_pid_is_left_alone(lab: Lab, verb: str) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        network = next((lab.home / "lima" / "_networks").glob("omk-*"), None)
        folders = [lab.home / "lima" / "dev-worker-1", *([network] if network else [])]
        for folder in folders:
            (folder / "ha.pid").write_text(f"{stranger.pid}\n")
            (folder / "qemu.pid").write_text(f"{stranger.pid}\n")
        if verb == "start":
            provider.start("dev-worker-1")
            assert provider.machines()[0].status == "running"
        else:
            provider.delete("dev-worker-1")
            assert provider.machines() == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_machine_that_names_no_cluster_is_left_alone(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    path = lab.home / "lima" / "dev-worker-1" / "lima.yaml"
    path.write_text(json.dumps({**lab.template("dev-worker-1"), "env": {}}))
    assert provider.machines() == []
    for verb in (lambda: provider.delete("dev-worker-1"), lambda: provider.create(worker("dev-worker-1"))):
        with pytest.raises(OhmykubeError) as refused:
            verb()
        assert refused.value.code == "lima.no-owner"
        assert f"LIMA_HOME={lab.home / 'lima'} limactl delete" in refused.value.hint


def test_a_machine_that_cannot_be_deleted_is_an_error(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    lab.faults("delete dev-worker-1", "protected")
    with pytest.raises(OhmykubeError) as failed:
        provider.delete("dev-worker-1")
    assert "protected" in failed.value.message
    assert [machine.name for machine in provider.machines()] == ["dev-worker-1"]


def test_a_network_daemon_that_was_left_is_ended(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    [pid_file] = (lab.home / "lima" / "_networks").rglob("usernet_*.pid")
    pid = int(pid_file.read_text())
    (lab.home / "lima" / "dev-worker-1").rename(lab.home / "elsewhere")
    provider.cleanup()
    assert not alive(pid)
    assert not pid_file.parent.exists()


def test_cleanup_takes_what_creates_that_died_early_have_left(lab: Lab) -> None:
    dev, other = lab.ready("dev"), lab.ready("other")
    other.create(replace(worker("other-worker-1"), disks=(GIB,)))
    dev.create(replace(worker("dev-worker-1"), disks=(GIB,)))
    (lab.home / "lima" / "dev-worker-1" / "lima.yaml").unlink()
    assert dev.machines() == []
    dev.cleanup()
    left = {path.name for path in (lab.home / "lima").glob("[!._]*")}
    assert left == {"other-worker-1"}
    assert ["other-worker-1" in path.name for path in (lab.home / "lima" / "_disks").iterdir()] == [True]


def test_clusters_that_have_machines_are_told_of_whether_recorded_or_not(lab: Lab) -> None:
    lab.ready("dev", "dev-worker-1")
    dev2 = lab.ready("dev-2", "dev-2-worker-1")
    shutil.rmtree(lab.home / "clusters" / "dev")
    assert dev2.clusters() == ["dev", "dev-2"]
    assert lab.provider("none").clusters() == ["dev", "dev-2"]


def test_limactl_that_refuses_says_so(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    lab.faults("root", "yes")
    with pytest.raises(OhmykubeError) as failed:
        provider.machines()
    assert "must not run as the root user" in failed.value.message
