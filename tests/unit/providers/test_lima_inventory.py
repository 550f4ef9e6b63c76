"""The inventory plug-in for instances of Lima, asked as Ansible does, with a limactl that answers as the real one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ohmykube

PLAIN = "plugin: ohmykube.cluster.lima\n"


@pytest.fixture
def listed(lab, tmp_path):
    """What Ansible sees with such a file."""
    for machine in lab.ready("dev", "dev-worker-1", "dev-worker-2").machines()[:1]:
        lab.provider("dev").start(machine.name)

    def ask(text, code=0, **environment):
        file = tmp_path / "vms.lima.yml"
        file.write_text(text)
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-inventory"), "-i", file, "--list"],
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(ohmykube.COLLECTIONS),
                "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
                "LIMA_HOME": str(lab.home / "lima"),
                **environment,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        unsafe = {"object_hook": lambda part: part.get("__ansible_unsafe", part)}
        return json.loads(done.stdout, **unsafe) if not code else done.stderr

    return ask


def test_instances_are_hosts_that_lima_says_how_to_reach(listed, lab):
    seen = listed(PLAIN)
    assert sorted(seen["lima"]["hosts"]) == ["dev-worker-1", "dev-worker-2"]
    assert (seen["lima_running"]["hosts"], seen["lima_stopped"]["hosts"]) == (["dev-worker-1"], ["dev-worker-2"])
    one = seen["_meta"]["hostvars"]["dev-worker-1"]
    assert one["ansible_host"] == "lima-dev-worker-1"
    assert one["ansible_ssh_common_args"] == f"-F '{lab.home}/lima/dev-worker-1/ssh.config'"
    assert (one["lima_cpus"], one["lima_memory"], one["lima_status"]) == (1, 2**30, "Running")


def test_some_of_them_in_groups_of_ones_own(listed):
    seen = listed(
        f"{PLAIN}instances: ['*-1']\n"
        "groups: {workers: inventory_hostname is match('dev-worker')}\n"
        "compose: {node_swap: 'lima_cpus > 1'}\n"
        "keyed_groups: [{key: lima_arch, prefix: arch}]\n"
    )
    assert seen["workers"]["hosts"] == seen["lima"]["hosts"] == ["dev-worker-1"]
    assert seen["_meta"]["hostvars"]["dev-worker-1"]["node_swap"] is False
    assert any(group.startswith("arch_") for group in seen["all"]["children"])


def test_without_limactl_it_says_so(listed):
    assert "/nowhere/limactl" in listed(f"{PLAIN}limactl: /nowhere/limactl\n", code=1)
