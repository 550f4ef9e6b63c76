"""A limactl on the PATH that answers as the real one does, and what tests want to know of it."""

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from ohmykube import ssh
from ohmykube.providers.base import MachineSpec, ProviderContext
from ohmykube.providers.lima import LimaProvider
from tests.patience import soon

GIB = 2**30
STUB = Path(__file__).with_name("limactl_stub.py")


@dataclass(frozen=True)
class Lab:
    """A home with a stub of limactl, and a stub of ssh that says what the file `ssh` says."""

    home: Path
    stub: Path

    def provider(self, cluster: str, **changes: object) -> LimaProvider:
        directory = self.home / "clusters" / cluster
        directory.mkdir(parents=True, exist_ok=True)
        ssh.generate_key(directory / "key", cluster)
        context = ProviderContext(
            cluster=cluster,
            directory=directory,
            home=self.home,
            identity_file=directory / "key",
            known_hosts=directory / "known_hosts",
            template="ubuntu-24.04",
            fetch=lambda *_: self.home / "image",
        )
        return LimaProvider(replace(context, **changes))  # type: ignore[arg-type]

    def ready(self, cluster: str, *names: str, **changes: object) -> LimaProvider:
        provider = self.provider(cluster, **changes)
        provider.prepare()
        for name in names:
            provider.create(worker(name))
        return provider

    def faults(self, key: str, *wanted: str) -> None:
        (self.stub / "faults.json").write_text(json.dumps({key: wanted}))

    def calls(self, verb: str) -> list[list[str]]:
        lines = (self.stub / "calls.jsonl").read_text().splitlines()
        return [argv for argv in (json.loads(line)["argv"] for line in lines) if verb in argv]

    def template(self, name: str) -> dict[str, object]:
        return dict(json.loads((self.home / "lima" / name / "lima.yaml").read_text()))


def worker(name: str) -> MachineSpec:
    return MachineSpec(name, "worker", "worker", cpu=1, memory=GIB, disk=10 * GIB)


def plane(name: str) -> MachineSpec:
    return MachineSpec(name, "control-plane", "control-plane", cpu=2, memory=GIB, disk=10 * GIB)


def kill(pid_file: Path) -> None:
    """Without warning, and until it is gone."""
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGKILL)
    assert soon(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """A zombie that nobody waits for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
