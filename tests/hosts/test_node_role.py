"""Preparing a node, and undoing it, on a real one."""

from collections.abc import Iterator

import pytest

from tests.hosts.plays import Site, site

pytestmark = pytest.mark.hosts

PLAY = """
- hosts: all
  become: true
  gather_facts: false
  roles: [ohmykube.cluster.node]
  tasks:
    - ansible.builtin.assert:
        that:
          - ansible_facts.ohmykube_node.arch in ['amd64', 'arm64']
          - ansible_facts.ohmykube_node.address == ansible_host
      when: node_state | default('present') == 'present'
"""
NODE = {
    "node_hosts": [{"name": "api.example.internal", "address": "192.0.2.10"}],
    "node_sysctls": {"net.ipv4.conf.all.rp_filter": 0},
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site("node", tmp_path_factory.mktemp("node")) as made:
        yield made


def test_prepared_once_and_undone(node: Site) -> None:
    before = state(node)
    planned = node.play(PLAY, "--check", "--diff", **NODE)
    assert (planned.changed, planned.failed) == (1, 0), planned.output
    assert state(node) == before

    done = node.play(PLAY, "--diff", **NODE)
    assert (done.changed, done.failed) == (1, 0), done.output
    assert node.run("sysctl", "--values", "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter") == "1\n0\n"
    assert node.run("getent", "hosts", "api.example.internal").split() == ["192.0.2.10", "api.example.internal"]
    assert node.play(PLAY, **NODE).changed == 0

    assert node.play(PLAY, node_state="absent").changed == 1
    assert state(node) == before
    assert node.play(PLAY, node_state="absent").changed == 0


def test_a_kernel_without_a_feature_is_named(node: Site) -> None:
    outcome = node.play(PLAY, node_kernel_modules=["no_such_feature"])
    assert outcome.failed == 1
    assert "no_such_feature" in outcome.output


def test_swap_is_left_on_only_where_pods_can_be_held_to_a_share_of_it(node: Site) -> None:
    before = state(node)
    outcome = node.play(PLAY, node_swap=True)
    if node.run("stat", "--file-system", "--format=%T", "/sys/fs/cgroup") == "cgroup2fs\n":
        assert outcome.failed == 0, outcome.output
        node.play(PLAY, node_state="absent")
    else:
        assert outcome.failed == 1
        assert "cgroup v1" in outcome.output
    assert state(node) == before


def state(node: Site) -> str:
    """What the role touches of the machine's own; vm, kernel and fs parameters belong to the computer's kernel."""
    files = node.run("sh", "-c", "ls -l /etc/sysctl.d /etc/modules-load.d | grep -v ^total; cat /etc/hosts")
    return files + node.run(
        "sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter"
    )
