"""Bare machines for tests, molecule and people, with an Ansible inventory: real systemd, sshd, address; nothing else.

    python tests/hosts/machines.py up --name roles --count 2 --inventory /tmp/hosts.yml
    ansible-playbook -i /tmp/hosts.yml …
    python tests/hosts/machines.py down --name roles

The nspawn provider's own code makes them; its base root file system is kept in one home for all tests
(OHMYKUBE_TEST_HOME, default ~/.cache/ohmykube/test-home), so it is made once a computer.
"""

import argparse
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.model.quantity import parse_bytes
from ohmykube.providers.base import MachineSpec, ProviderContext, SshTarget
from ohmykube.providers.nspawn import NspawnProvider

USER = "tester"  # the ordinary user with sudo that `--user` makes
_SSH_TIMEOUT = 60  # seconds for all machines to answer
# Names the user as its argument; the key is root's.
_ADD_USER = """
useradd --create-home --shell /bin/bash "$1"
install -d -m 0700 -o "$1" -g "$1" "/home/$1/.ssh"
install -m 0600 -o "$1" -g "$1" /root/.ssh/authorized_keys "/home/$1/.ssh/authorized_keys"
echo "$1 ALL=(ALL) NOPASSWD: ALL" >"/etc/sudoers.d/$1"
"""


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    ssh: SshTarget


def test_home() -> Path:
    """Where tests keep what is dear to make: the base root file system."""
    default = Path.home() / ".cache" / "ohmykube" / "test-home"
    return Path(os.environ.get("OHMYKUBE_TEST_HOME") or default).absolute()


def provider(name: str) -> NspawnProvider:
    """The provider for a set of machines of that name."""
    directory = test_home() / "clusters" / name
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ssh.generate_key(directory / "id_ed25519", name)
    return NspawnProvider(
        ProviderContext(
            cluster=name,
            directory=directory,
            home=test_home(),
            identity_file=directory / "id_ed25519",
            known_hosts=directory / "known_hosts",
        )
    )


def up(name: str, count: int, *, cpu: int = 1, memory: str = "2GiB", user: bool = False) -> list[Host]:
    """Machines `<name>-1` … that answer ssh, as root or, with `user`, as an ordinary user with sudo."""
    made = provider(name)
    made.prepare()
    names = [f"{name}-{number}" for number in range(1, count + 1)]

    def one(machine: str) -> None:
        made.create(MachineSpec(machine, "worker", "worker", cpu=cpu, memory=parse_bytes(memory), disk=0))
        made.start(machine)

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, names))
        hosts = [Host(seen.name, seen.address, seen.ssh) for seen in made.machines() if seen.name in names and seen.ssh]
        list(pool.map(lambda host: ssh.wait(host.ssh, timeout=_SSH_TIMEOUT), hosts))
        return list(pool.map(_with_user, hosts)) if user else hosts


def down(name: str) -> None:
    """Take them away with everything that was made for them; machines that are not there are fine."""
    made = provider(name)
    with ThreadPoolExecutor() as pool:
        list(pool.map(made.delete, [machine.name for machine in made.machines()]))
    made.cleanup()
    shutil.rmtree(test_home() / "clusters" / name)


def write_inventory(path: Path, name: str, hosts: Sequence[Host]) -> None:
    """An Ansible inventory with the groups of a cluster: the first machine as control plane, the others as workers.

    The variables are those that any cluster on such machines gets from the provider.
    """
    made = provider(name)
    groups = {"control_plane": hosts[:1], "workers": hosts[1:], "group_worker": hosts[1:]}
    data = {
        "all": {
            "hosts": {host.name: {**_connection(host), **made.variables(host.name)} for host in hosts},
            "children": {group: {"hosts": {host.name: {} for host in members}} for group, members in groups.items()},
        }
    }
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def _connection(host: Host) -> dict[str, object]:
    root = host.ssh.user == "root"
    options = ssh.options(host.ssh)
    port = options.index("-p")
    del options[port : port + 2]  # sftp understands it otherwise
    return {
        "ansible_host": host.address,
        "ansible_port": host.ssh.port,
        "ansible_user": host.ssh.user,
        "ansible_ssh_private_key_file": str(host.ssh.identity_file),
        "ansible_ssh_common_args": shlex.join(options),
        "ansible_python_interpreter": "/usr/bin/python3",
        **({} if root else {"ansible_become": True}),
    }


def _with_user(host: Host) -> Host:
    known = replace(host.ssh, user=USER)
    try:
        ssh.run(known, ["true"], timeout=10)
    except OhmykubeError:
        ssh.run(host.ssh, ["sh", "-euc", _ADD_USER, "sh", USER], timeout=30)
    return replace(host, ssh=known)


def main() -> int:
    parser = argparse.ArgumentParser(description="Bare machines for tests, with an Ansible inventory.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("up", help="make machines, or find those that are there")
    make.add_argument("--name", required=True)
    make.add_argument("--count", type=int, default=1)
    make.add_argument("--cpu", type=int, default=2)
    make.add_argument("--memory", default="4GiB")
    make.add_argument("--user", action="store_true", help=f"reach them as {USER}, who has sudo, not as root")
    make.add_argument("--inventory", type=Path, required=True)
    remove = verbs.add_parser("down", help="take them away")
    remove.add_argument("--name", required=True)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    why_not = NspawnProvider.unusable()
    try:
        if why_not:
            raise OhmykubeError("nspawn.unusable", f"no machines can be made here: {why_not}")
        if asked.verb == "down":
            down(asked.name)
        else:
            hosts = up(asked.name, asked.count, cpu=asked.cpu, memory=asked.memory, user=asked.user)
            write_inventory(asked.inventory, asked.name, hosts)
            for host in hosts:
                print(host.name, host.address)
    except OhmykubeError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
