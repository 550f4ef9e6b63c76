"""Several control planes: the cluster answers while one of them is dead, and a lost one is replaced."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chance import chance, some
from tests.cluster import computer
from tests.cluster.clusters import Bundle, CommandLine, swap_addresses
from tests.patience import soon

pytestmark = pytest.mark.cluster

NAME = "many"
_LEASE = "plndr-cp-lock"  # kube-vip's


@dataclass
class Many:
    """The cluster, as a person has it."""

    ohmykube: CommandLine
    bundle: Bundle

    def __call__(self, verb: str, *words: str) -> Any:
        return self.ohmykube.data(verb, *words, "--name", NAME)

    def kubectl(self, *words: str) -> str:
        return self.bundle.kubectl(self.ohmykube.cluster(NAME) / "kubeconfig", *words)

    def holder(self) -> str:
        """The node that has the endpoint's address."""
        path = "--output=jsonpath={.spec.holderIdentity}"
        return self.kubectl("get", "lease", _LEASE, "--namespace=kube-system", path)

    def answers(self) -> bool:
        kubeconfig = self.ohmykube.cluster(NAME) / "kubeconfig"
        argv = [str(self.bundle.folder / "bin/kubectl"), f"--kubeconfig={kubeconfig}", "--request-timeout=2s"]
        return subprocess.run([*argv, "get", "nodes"], capture_output=True, timeout=30, check=False).returncode == 0

    def planes(self) -> set[str]:
        """The control planes, all of which are ready; a busy computer's may miss a heartbeat."""
        seen: list[dict[str, Any]] = []

        def ready() -> bool:
            seen[:] = [node for node in self("status")["nodes"] if node["role"] == "control-plane"]
            return all(node["node"] == "Ready" and node["machine"] == "running" for node in seen)

        assert soon(ready), seen
        return {node["name"].removeprefix(f"{NAME}-") for node in seen}

    def ready(self) -> bool:
        return bool(self("status")["ready"])

    def addresses(self) -> dict[str, str]:
        """Where all nodes are, as the API server knows them."""
        listed = json.loads(self.kubectl("get", "nodes", "--output=json"))["items"]
        assert soon(self.ready)
        return {
            node["metadata"]["name"]: entry["address"]
            for node in listed
            for entry in node["status"]["addresses"]
            if entry["type"] == "InternalIP"
        }

    def members(self, on: str) -> set[str]:
        """etcd's members that vote."""
        pki = "/etc/kubernetes/pki/etcd"
        keys = (f"--cacert={pki}/ca.crt", f"--cert={pki}/server.crt", f"--key={pki}/server.key")
        words = (
            "exec",
            "--namespace=kube-system",
            f"etcd-{on}",
            "--",
            "etcdctl",
            *keys,
            "member",
            "list",
            "-w",
            "json",
        )
        listed = json.loads(self.kubectl(*words))
        return {member["name"].removeprefix(f"{NAME}-") for member in listed["members"] if not member.get("isLearner")}


@pytest.fixture(scope="module")
def many(ohmykube: CommandLine, bundle: Bundle, machine_image: None) -> Iterator[Many]:
    """One cluster for all tests: each leaves it with three control planes, as it found it."""
    before = computer.look()
    ohmykube.text("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *bundle.flags)
    made = Many(ohmykube, bundle)
    made("add", "--role", "control-plane", "--count", "2", "--offline")
    yield made
    ohmykube.text("down", "--name", NAME, "--force")
    assert computer.left(before, ohmykube.cluster(NAME)) == []


def test_the_endpoint_survives_its_machine_and_a_lost_control_plane_is_replaced(many: Many) -> None:
    assert many.planes() == {"control-plane-1", "control-plane-2", "control-plane-3"}

    # The one that holds the endpoint dies.
    lost = many.holder()
    many("chaos", "power-off", lost, "--for", "10m")
    died = time.monotonic()
    assert soon(many.answers)
    print(f"kubectl after {time.monotonic() - died:.1f} s")
    assert not many("status")["ready"]
    new = many.holder()
    assert new != lost

    # Another one may not go now: of two members that are left of three, both are needed.
    other = next(name for name in _names() if name not in (lost, new))
    done = many.ohmykube("delete", other, "--name", NAME, "-o", "json")
    assert [error["code"] for error in json.loads(done.stdout)["errors"]] == ["etcd.quorum"]
    assert soon(many.answers)

    # It comes back, with all that it was.
    many("chaos", "heal")
    assert soon(many.ready)

    # Then it is lost for good, and a new one takes its place.
    many("chaos", "power-off", lost, "--for", "10m")
    assert many("delete", lost)["deleted"] == [lost]
    assert [node["name"] for node in many("add", "--role", "control-plane", "--offline")["nodes"]] == [lost]
    assert many.planes() == {"control-plane-1", "control-plane-2", "control-plane-3"}
    assert many.members(on=new) == many.planes()
    many.ohmykube.smoke(NAME)
    again = many("up", "--workers", "1", *many.bundle.flags)
    assert not again["changed"]


def test_a_control_plane_that_is_not_what_it_was_is_put_right(many: Many) -> None:
    for damaged_and_mended in some("a control plane", (_somebody_deletes_its_node, _it_comes_back_elsewhere)):
        damaged_and_mended(many)


def _somebody_deletes_its_node(many: Many) -> None:
    """It joins anew with one `up`, be it the one that holds the endpoint or the one on which the cluster was made."""
    lost = chance("whose node is deleted").choice((many.holder(), _names()[0]))
    assert "deleted" in many.kubectl("delete", "node", lost)
    assert not many("status")["ready"]
    assert many("up", "--workers", "1", *many.bundle.flags)["changed"]
    assert many.planes() == {"control-plane-1", "control-plane-2", "control-plane-3"}
    assert many.members(on=lost) == many.planes()
    many.ohmykube.smoke(NAME)
    assert not many("up", "--workers", "1", *many.bundle.flags)["changed"]


def _it_comes_back_elsewhere(many: Many) -> None:
    """It is put right while most are where they were."""
    first, second, _ = _names()
    folder = many.ohmykube.cluster(NAME)
    many.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    before = many.addresses()

    # Two of three: nothing is touched, and with their old addresses they are as before.
    many("stop")
    swap_addresses(folder, {name: before[name] for name in (first, second)})
    done = many.ohmykube("start", "--name", NAME, "--offline", "-o", "json")
    assert {error["code"] for error in json.loads(done.stdout)["errors"]} == {"kubeadm.moved"}, done.stdout
    assert "2 of 3 control planes" in done.stdout
    many("stop")
    swap_addresses(folder, {first: before[second], second: before[first]})
    many("start", "--offline")
    assert many.addresses() == before

    # One of three, be it the one on which the cluster was made or not.
    worker, moved = f"{NAME}-worker-1", chance("who moves").choice((first, second))
    many("stop")
    swap_addresses(folder, {name: before[name] for name in (moved, worker)})
    many("start", "--offline")
    assert many.addresses() == {**before, moved: before[worker], worker: before[moved]}
    assert many.planes() == {"control-plane-1", "control-plane-2", "control-plane-3"}
    assert many.members(on=moved) == many.planes()
    kept = json.loads(many.kubectl("get", "configmap", "kept", "--output=json"))
    assert kept["data"] == {"a": "b"}

    # Each counts as much as before: it is enough with one of the others.
    many.ohmykube.smoke(NAME)
    assert not many("up", "--workers", "1", *many.bundle.flags)["changed"]
    many("chaos", "power-off", _names()[2], "--for", "10m")
    assert soon(many.answers)
    many("chaos", "heal")
    assert soon(many.ready)


def _names() -> list[str]:
    return [f"{NAME}-control-plane-{number}" for number in (1, 2, 3)]
