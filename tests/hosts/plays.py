"""Plays on bare machines, as somebody runs them who has Ansible and the collection, and nothing of the CLI."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import ohmykube
from ohmykube import ssh
from ohmykube.providers.nspawn import NspawnProvider
from tests.hosts import machines

_PLAY_TIMEOUT = 300  # seconds
_RECAP = re.compile(r": ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)")


@dataclass(frozen=True)
class Outcome:
    """changed, failed: tasks, of all hosts together. output: of ansible-playbook."""

    changed: int
    failed: int
    output: str


@dataclass(frozen=True)
class Site:
    """Machines, and a folder with their inventory. environment: for ansible-playbook, above this process's own."""

    hosts: list[machines.Host]
    folder: Path
    environment: Mapping[str, str]

    def play(self, text: str, *flags: str, **variables: object) -> Outcome:
        """Run a playbook's text on all of them, the variables above all others."""
        playbook = self.folder / "play.yml"
        playbook.write_text(text)
        argv = ["ansible-playbook", "-i", str(self.folder / "hosts.yml"), "-e", json.dumps(variables), *flags]
        search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {
            **os.environ,
            "PATH": search,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),  # there is none: no one else's is heard
            "ANSIBLE_COLLECTIONS_PATH": str(ohmykube.COLLECTIONS),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "OHMYKUBE_HOME": str(self.folder / "home"),
            **self.environment,
        }
        program = str(shutil.which(argv[0], path=search))
        done = subprocess.run(
            [program, *argv[1:], str(playbook)],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PLAY_TIMEOUT,
            env=environment,
        )
        output = done.stdout + done.stderr
        recap = [[int(number) for number in found] for found in _RECAP.findall(output)]
        assert recap, output
        return Outcome(sum(line[0] for line in recap), sum(line[1] + line[2] for line in recap), output)

    def run(self, *command: str, stdin: Path | None = None) -> str:
        """The output of a command on the first machine, as root."""
        with (stdin or Path(os.devnull)).open("rb") as stream:
            done = subprocess.run(
                ssh.argv(self.hosts[0].ssh, ["sudo", "--", *command]),
                check=False,
                stdin=stream,
                capture_output=True,
                text=True,
                timeout=60,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def site(name: str, folder: Path, count: int = 1, **environment: str) -> Iterator[Site]:
    """Machines that are reached as an ordinary user with sudo, and taken away at the end; skips where none can be."""
    why_not = NspawnProvider.unusable()
    if why_not:
        pytest.skip(f"no real hosts here: {why_not}")
    name = f"{name}{os.getpid()}"
    try:
        hosts = machines.up(name, count, user=True)
        machines.write_inventory(folder / "hosts.yml", name, hosts)
        yield Site(hosts, folder, environment)
    finally:
        machines.down(name)
