"""The lima provider end to end, against a limactl on the PATH that answers as the real one does."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import Provider
from tests.unit.providers.lima_lab import GIB, Lab, kill, plane, worker


def test_it_is_a_provider(lab: Lab) -> None:
    provider: Provider = lab.provider("dev")
    assert (provider.name, provider.owns_machines) == ("lima", True)
    assert provider.machines() == []
    assert provider.address_pool() == ""
    provider.delete("dev-worker-1")
    provider.cleanup()
    assert not (lab.home / "lima").exists()
    assert not (lab.stub / "calls.jsonl").exists(), "nothing was asked of limactl"


def test_a_machine_from_its_making_to_its_end(lab: Lab) -> None:
    provider = lab.provider("dev")
    provider.prepare()
    provider.prepare()
    provider.create(plane("dev-control-plane-1"))
    provider.create(plane("dev-control-plane-1"))
    assert len(lab.calls("create")) == 2, "the network and the machine, each once"
    assert [machine.status for machine in provider.machines()] == ["stopped"]

    provider.start("dev-control-plane-1")
    [machine] = provider.machines()
    assert machine.status == "running"
    assert machine.address.endswith(".1")
    assert machine.api.startswith("127.0.0.1:2")
    assert machine.ssh is not None
    assert machine.ssh.host_key_alias == "dev-control-plane-1"
    assert machine.ssh.port > 0

    provider.stop("dev-control-plane-1")
    provider.stop("dev-control-plane-1")
    [machine] = provider.machines()
    assert (machine.status, machine.address, machine.ssh) == ("stopped", "", None)

    provider.delete("dev-control-plane-1")
    provider.delete("dev-control-plane-1")
    provider.cleanup()
    provider.cleanup()
    assert provider.machines() == []
    left = [path.name for path in (lab.home / "lima").rglob("*") if path.name not in ("_config", "_networks", "_disks")]
    assert sorted(left) == [".create.lock", ".network.lock", "networks.yaml", "user", "user.pub"]
    assert (lab.home / "clusters" / "dev" / "known_hosts").read_text() == ""


def test_every_call_is_made_for_a_program(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    for line in (lab.stub / "calls.jsonl").read_text().splitlines():
        call = json.loads(line)
        assert call["home"] == str(lab.home / "lima")
        if call["argv"][0] not in ("hostagent", "usernet"):
            assert call["argv"][0] == "--tty=false"
            assert call["argv"][1] in ("--log-format=json", "--log-format=text")


def test_the_host_key_is_known_before_the_first_boot(lab: Lab) -> None:
    lab.ready("dev", "dev-worker-1")
    kind, key = (lab.home / "clusters" / "dev" / "known_hosts").read_text().split()[1:]
    environment = lab.template("dev-worker-1")["env"]
    assert environment == {"OHMYKUBE_CLUSTER": "dev", "OHMYKUBE_HOST_KEY": f"{kind} {key}"}


def test_a_lost_pin_is_restored(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    known_hosts = lab.home / "clusters" / "dev" / "known_hosts"
    before = known_hosts.read_text()
    known_hosts.unlink()
    provider.create(worker("dev-worker-1"))
    assert known_hosts.read_text() == before


def test_machines_are_made_and_started_side_by_side(lab: Lab) -> None:
    provider = lab.ready("dev")
    names = [f"dev-control-plane-{number}" for number in range(1, 4)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(provider.create, map(plane, names)))
        list(pool.map(provider.start, names))
    machines = provider.machines()
    assert [machine.name for machine in machines] == names
    assert {machine.status for machine in machines} == {"running"}
    assert len({machine.address for machine in machines}) == 3
    assert len({machine.api for machine in machines}) == 3
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(provider.stop, names))
    assert {machine.status for machine in provider.machines()} == {"stopped"}


def test_additional_disks_come_and_go_with_their_machine(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-a-11")
    provider.create(replace(worker("dev-a-1"), disks=(GIB, 2 * GIB)))
    provider.create(replace(worker("dev-b-1"), disks=(GIB,)))
    disks = lab.home / "lima" / "_disks"
    assert len(list(disks.iterdir())) == 3
    names = [disk["name"] for disk in lab.template("dev-a-1")["additionalDisks"]]  # type: ignore[attr-defined]
    assert all((disks / name).is_dir() for name in names)
    provider.delete("dev-a-1")
    assert [path.name.split(".")[1] for path in disks.iterdir()] == ["dev-b-1"]


def test_clusters_whose_names_begin_alike_do_not_touch_each_other(lab: Lab) -> None:
    """`dev-2-x-1` is the first machine of group x in dev-2, and of group 2-x in dev."""
    dev, other = lab.ready("dev", "dev-worker-1"), lab.ready("dev-2", "dev-2-x-1")
    with pytest.raises(OhmykubeError) as refused:
        dev.create(worker("dev-2-x-1"))
    assert (refused.value.code, refused.value.exit_code) == ("lima.name-taken", 2)
    assert "the cluster dev-2" in refused.value.message
    assert [problem.code for problem in dev.preflight([worker("dev-2-x-1")])] == ["lima.name-taken"]
    dev.delete("dev-2-x-1")
    with pytest.raises(OhmykubeError):
        dev.stop("dev-2-x-1")
    dev.start("dev-worker-1")
    other.start("dev-2-x-1")
    assert [machine.name for machine in dev.machines()] == ["dev-worker-1"]
    assert dev.machines()[0].address != other.machines()[0].address
    dev.delete("dev-worker-1")
    dev.cleanup()
    assert [(machine.name, machine.status) for machine in other.machines()] == [("dev-2-x-1", "running")]
    assert other.machines()[0].address


def test_a_start_does_not_lose_its_network_to_another_clusters_stop(lab: Lab) -> None:
    """Lima stops the networks of machines that do not run yet; the lock keeps the two apart."""
    dev, other = lab.ready("dev", "dev-worker-1"), lab.ready("other", "other-worker-1")
    other.start("other-worker-1")
    lab.faults("start dev-worker-1", "slow")
    with ThreadPoolExecutor(2) as pool:
        started, stopped = pool.submit(dev.start, "dev-worker-1"), pool.submit(other.stop, "other-worker-1")
        started.result()
        stopped.result()
    assert dev.machines()[0].address


def test_addresses_survive_a_crash_of_everything(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1", "dev-worker-2")
    for name in ("dev-worker-1", "dev-worker-2"):
        provider.start(name)
    before = [machine.address for machine in provider.machines()]
    for file in (lab.home / "lima").rglob("*.pid"):
        kill(file)
    for name in ("dev-worker-2", "dev-worker-1"):
        provider.start(name)
    assert [machine.address for machine in provider.machines()] == before


def test_the_pool_is_far_from_what_dhcp_hands_out(lab: Lab) -> None:
    provider = lab.ready("dev", "dev-worker-1")
    provider.start("dev-worker-1")
    prefix = provider.machines()[0].address.rsplit(".", 1)[0]
    assert provider.address_pool() == f"{prefix}.200-{prefix}.250"


def test_certificates_name_the_forwarded_address(lab: Lab) -> None:
    [document] = lab.provider("dev").variables("dev-worker-1")["kubeadm_provider_config"]  # type: ignore[misc]
    assert document["apiServer"] == {"certSANs": ["127.0.0.1"]}


def test_a_users_template_lies_below_ours(lab: Lab, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"images: [{{location: {lab.home}/image}}]\ncpus: 64\nplain: false\ntimezone: Europe/Berlin\n")
    lab.ready("dev", "dev-worker-1", template=str(mine), fetch=None)
    template = lab.template("dev-worker-1")
    assert (template["cpus"], template["plain"], template["timezone"]) == (1, True, "Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "version", "told"), [("26.04", "2.2.0", 1), ("26.04", "2.1.3", 0), ("24.04", "2.2.0", 0)]
)
def test_a_boot_that_would_wait_for_networks_does_not(lab: Lab, name: str, version: str, told: int) -> None:
    """Older ones refuse a parameter that nothing of the template uses."""
    (lab.stub / "version").write_text(version)
    lab.ready("dev", "dev-worker-1", template=f"ubuntu-{name}")
    assert lab.template("dev-worker-1").get("param") == ({"internal_netplanOptional": "true"} if told else None)


def test_a_template_that_is_not_there_is_seen_before_anything_is_made(lab: Lab) -> None:
    [problem] = lab.provider("dev", template="./none.yaml").preflight([worker("dev-worker-1")])
    assert (problem.code, problem.exit_code) == ("lima.template", 2)


def test_a_template_that_nobody_has_is_seen_before_anything_is_made(lab: Lab) -> None:
    def look_up(component: str, arch: str) -> None:
        raise OhmykubeError("catalogue.missing", f"{component} {arch}")

    [problem] = lab.provider("dev", look_up=look_up).preflight([worker("dev-worker-1")])
    assert problem.message.split()[0] == "ubuntu-24.04"
    mine = lab.home / "mine.yaml"
    mine.write_text("base: template:debian\n")
    assert lab.provider("dev", look_up=look_up, template=str(mine)).preflight([worker("dev-worker-1")]) == []


def test_without_a_catalogue_an_image_cannot_be_had(lab: Lab) -> None:
    with pytest.raises(OhmykubeError) as failed:
        lab.provider("dev", fetch=None).prepare()
    assert failed.value.code == "lima.image"


def test_offline_what_is_not_kept_is_told_before_anything_is_made(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(component: str, arch: str) -> Path:
        raise OhmykubeError("cache.missing", f"{component} {arch}")

    offline = lab.provider("dev", offline=True, fetch=fetch)
    assert [problem.message.split()[0] for problem in offline.preflight([worker("dev-worker-1")])] == ["ubuntu-24.04"]
    monkeypatch.setenv("PATH", str(lab.home))  # no limactl either
    problems = offline.preflight([worker("dev-worker-1")])
    assert [problem.message.split()[0] for problem in problems] == ["ubuntu-24.04", "lima"]
    assert lab.provider("dev", fetch=fetch).preflight([worker("dev-worker-1")]) == []
    assert not (lab.home / "lima").exists()
