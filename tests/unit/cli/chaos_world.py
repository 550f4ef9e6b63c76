"""A cluster for the verbs of `chaos`: nodes that answer as the module does, machines that are words in a dictionary."""

import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ohmykube import ssh
from ohmykube.chaos.power import PowerCuts
from ohmykube.cli import chaos_power
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import SshTarget
from tests.unit.cli.test_cli import made
from tests.unit.phases.fakes import FakeProvider

NODES = ("dev-control-plane-1", "dev-worker-1", "dev-worker-2")
WORKER = NODES[1]
WAITS = """
import sys
from pathlib import Path
from ohmykube.chaos.power import PowerCuts
from ohmykube.store.home import ClusterFolder
PowerCuts(ClusterFolder(Path(sys.argv[1]))).wait(sys.argv[2], float(sys.argv[3]))
"""


class Provider(FakeProvider):
    def machines(self):
        def target(machine):
            return SshTarget(machine.address, "root", Path("key"), Path("known_hosts"))

        return [replace(machine, ssh=target(machine)) for machine in super().machines()]


@dataclass
class World:
    """Nodes by their addresses: which faults each has. asked: the options that the last one was asked with."""

    folder: object
    provider: Provider = field(default_factory=lambda: Provider(existing=dict.fromkeys(NODES, "running")))
    faults: dict[str, dict[str, dict]] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    asked: dict = field(default_factory=dict)

    def ask(self, target, module, options=None, *, timeout, check_mode=False):
        assert module == "node_fault"
        if target.host in self.unreachable:
            raise OhmykubeError("ssh.unreachable", f"{target.host} cannot be reached")
        here = self.faults.setdefault(target.host, {})
        before = list(here.values())
        self.asked = dict(options)
        if options.get("state") == "absent":
            if not check_mode:
                here.clear()
            return {"changes": [], "faults": before}
        kind, seconds = options["fault"], options["seconds"]
        here[kind] = {"kind": kind, "detail": f"{kind} it is", "seconds": seconds}
        return {"changes": [f"{kind} it is for {seconds:g} s"], "faults": before}

    def cut(self, node=WORKER):
        return PowerCuts(self.folder).find(node)


@pytest.fixture(name="world")
def make_world(monkeypatch, home):
    made_world = World(made("dev"))
    (home / "current").write_text("dev\n")
    monkeypatch.setattr("ohmykube.nodes.ask", made_world.ask)
    monkeypatch.setattr(Session, "provider", lambda *_: made_world.provider)
    monkeypatch.setattr(ssh, "wait", lambda *_, **__: None)
    folder = str(made_world.folder.path)
    monkeypatch.setattr(
        chaos_power, "_argv", lambda _, node, seconds: [sys.executable, "-c", WAITS, folder, node, str(seconds)]
    )
    yield made_world
    for node in NODES:
        PowerCuts(made_world.folder).forget(node)  # and the processes end


def data(answer):
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)["data"]


def status(run):
    return [(row["node"], row["fault"], row["left"]) for row in data(run("chaos", "status", "-o", "json"))]


def ended(cut):
    """Whether the process that waits for it, a child of this one, is no more."""
    try:
        return os.waitpid(cut.pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True
