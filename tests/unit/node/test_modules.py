"""The two modules: options in, results out, and nothing done in check mode."""

from types import ModuleType
from typing import Any

import pytest
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import ErrorGroup, OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import in_short, run_command
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import failed
from ansible_collections.ohmykube.cluster.plugins.modules import node, service

from tests.unit.node.machine import Machine

NODE = {
    "state": "present",
    "swap": False,
    "hosts": [{"name": "cp1", "address": "10.0.0.1"}],
    "sysctls": {},
    "kernel_modules": [],
    "reach": "",
}
SERVICE = {
    "name": "demo",
    "units": [],
    "files": [
        {
            "path": "/etc/systemd/system/demo.service",
            "content": "[Service]\n",
            "secret_content": None,
            "mode": "0644",
            "restart": True,
        },
        {"path": "/etc/token", "content": None, "secret_content": "hush", "mode": "0600", "restart": True},
    ],
    "state": "started",
    "ready": None,
    "timeout": 1,
}


def results(
    module: ModuleType, machine: Machine, options: dict[str, Any], *, check_mode: bool = False
) -> dict[str, Any]:
    done: dict[str, Any] = module.run(options, machine.host, check_mode=check_mode)
    return done


def test_node_prepares_once_and_undoes_all(machine: Machine) -> None:
    before = _files(machine)
    planned = results(node, machine, NODE, check_mode=True)
    assert planned["changed"]
    assert _files(machine) == before

    done = results(node, machine, NODE)
    assert done["changes"] == planned["changes"]
    assert done["diff"] == planned["diff"]
    assert done["ansible_facts"]["ohmykube_node"]["address"] == "10.0.0.5"
    assert not results(node, machine, NODE)["changed"]

    assert results(node, machine, {**NODE, "state": "absent"}, check_mode=True)["changed"]
    assert results(node, machine, {**NODE, "state": "absent"})["changed"]
    after = _files(machine)
    # Shared limits stay raised.
    del before["proc/sys/fs/inotify/max_user_instances"], after["proc/sys/fs/inotify/max_user_instances"]
    assert after == before
    assert not results(node, machine, {**NODE, "state": "absent"})["changed"]


def test_node_leaves_swap_when_asked(machine: Machine) -> None:
    machine.write("/etc/fstab", "#ohmykube# /swapfile none swap sw 0 0\n")
    machine.write("/sys/fs/cgroup/cgroup.controllers", "memory\n")
    assert "swap on" in results(node, machine, {**NODE, "swap": True})["changes"]


def test_node_refuses_swap_where_nothing_could_limit_it(machine: Machine) -> None:
    before = _files(machine)
    with pytest.raises(OhmykubeError, match="cgroup v1") as caught:
        results(node, machine, {**NODE, "swap": True})
    assert caught.value.code == "node.swap"
    assert _files(machine) == before


def test_service_starts_once_and_hides_secrets(machine: Machine) -> None:
    planned = results(service, machine, SERVICE, check_mode=True)
    assert not machine.exists("/etc/token")
    done = results(service, machine, SERVICE)
    assert done["diff"] == planned["diff"]
    assert "hush" not in str(done)
    assert machine.read("/etc/token") == "hush"
    assert not results(service, machine, SERVICE)["changed"]

    assert results(service, machine, {**SERVICE, "state": "absent"})["changed"]
    assert not machine.exists("/etc/token")


def test_an_error_carries_the_last_words_and_what_to_do() -> None:
    error = OhmykubeError("service.failed", "it broke", hint="look", context={"journal": "one\ntwo"})
    told = failed(error)
    assert told["failed"]
    assert told["msg"] == "it broke\njournal: one\ntwo\nhint: look"
    assert told["error"]["code"] == "service.failed"


def test_several_errors_are_all_told() -> None:
    told = failed(ErrorGroup([OhmykubeError("a.b", "one", hint="look"), OhmykubeError("c.d", "two")]))
    assert told["msg"] == "one\nhint: look\ntwo"
    assert told["error"]["message"] == "one\ntwo"


def test_commands_have_a_time_limit_and_a_status() -> None:
    assert run_command(["sh", "-c", "echo out; exit 3"], 10).code == 3
    assert run_command(["no-such-program"], 10).code == 127
    with pytest.raises(OhmykubeError, match=r"within 0.1 s"):
        run_command(["sleep", "5"], 0.1)


def _files(machine: Machine) -> dict[str, bytes]:
    paths = (path for path in machine.root.rglob("*") if path.is_file())
    return {str(path.relative_to(machine.root)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["env", "PATH=/usr/local/bin", "kubeadm", "join", "--config=x"], "kubeadm join"),
        (["/usr/bin/kubectl", "--kubeconfig=x", "get", "nodes"], "kubectl get"),
        (["sh", "-c", "echo a; exit 3"], "sh"),
    ],
)
def test_a_command_that_takes_too_long_is_named_by_program_and_verb(argv: list[str], told: str) -> None:
    assert in_short(argv) == told
