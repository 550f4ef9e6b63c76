"""A project of somebody's, with hosts and settings of its own, uses roles and the inventory of the collection."""

from pathlib import Path

import pytest
import yaml

from tests import galaxy
from tests.cluster.clusters import Bundle, CommandLine
from tests.cluster.sites import Site, sudo
from tests.hosts import machines

pytestmark = pytest.mark.cluster

NAME = "theirs"
CONFIGURATION = """
[defaults]
inventory = hosts
host_key_checking = true
gathering = explicit
stdout_callback = default
"""
PLAY = """
- name: Machines of their own, which are no nodes
  hosts: databases
  become: true
  roles:
    - ohmykube.cluster.node
    - ohmykube.cluster.containerd
    - role: ohmykube.cluster.customize
      vars:
        customize_files: [{path: /etc/motd.d/rack, content: "{{ rack }}"}]

- name: The cluster beside them
  hosts: control_plane
  tasks:
    - name: Try it out
      ansible.builtin.import_role:
        name: ohmykube.cluster.verify
      vars: {verify_timeout: 60}

    - name: The cluster's variables are not everybody's
      ansible.builtin.assert:
        that:
          - hostvars[groups.databases[0]].cluster_cni is undefined
          - hostvars[groups.databases[0]].kubeadm_version is undefined
          - cluster_cni == "flannel"
"""


def test_roles_and_inventory_from_the_built_collection(
    ohmykube: CommandLine, bundle: Bundle, machine_image: None, site: Site
) -> None:
    project = site.folder / "project"
    _write(project, site, ohmykube.home)
    galaxy.install(project)
    try:
        ohmykube.data("up", "--name", NAME, "--provider", "nspawn", "--workers", "1", *bundle.flags)
        first, again = _play(project, ohmykube, bundle), _play(project, ohmykube, bundle)
        assert first.count("changed=0") == 1, first  # the cluster's, which is looked at alone
        assert again.count("changed=0") == 1 + len(site.hosts), again
        for host in site.hosts:
            assert sudo(host, "ctr version | grep -c Server; cat /etc/motd.d/rack").split() == ["1", "7"]
            assert sudo(host, "ls /usr/local/bin").find("kubelet") == -1

        # The collection's playbooks see the cluster alone.
        tried = galaxy.ansible(
            "ansible-playbook",
            "ohmykube.cluster.reset",
            "--list-hosts",
            folder=project,
            environment=_own(ohmykube, bundle),
        )
        assert f"{NAME}-control-plane-1" in tried.stdout, tried.stdout + tried.stderr
        assert site.hosts[0].name not in tried.stdout
    finally:
        ohmykube.text("down", "--force", "--name", NAME)


def _write(project: Path, site: Site, home: Path) -> None:
    (project / "hosts").mkdir(parents=True)
    (project / "group_vars").mkdir()
    (project / "ansible.cfg").write_text(CONFIGURATION)
    (project / "play.yml").write_text(PLAY)
    (project / "group_vars/databases.yml").write_text("rack: 7\n")
    machines.write_inventory(site.folder / "hosts.yml", site.name, site.hosts)
    own = yaml.safe_load((site.folder / "hosts.yml").read_text())["all"]["hosts"]
    (project / "hosts/10-own.yml").write_text(yaml.safe_dump({"databases": {"hosts": own}}))
    (project / "hosts/20-ohmykube.yml").write_text(
        yaml.safe_dump({"plugin": "ohmykube.cluster.ohmykube", "name": NAME, "home": str(home)})
    )


def _own(ohmykube: CommandLine, bundle: Bundle) -> dict[str, str]:
    return {**ohmykube.environment, "OHMYKUBE_CATALOGUE": str(bundle.catalogue), "OHMYKUBE_OFFLINE": "1"}


def _play(project: Path, ohmykube: CommandLine, bundle: Bundle) -> str:
    done = galaxy.ansible(
        "ansible-playbook", "play.yml", folder=project, timeout=600, environment=_own(ohmykube, bundle)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
