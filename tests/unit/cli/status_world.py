"""A cluster for `status`: machines that are words in a dictionary, and control planes that answer as the module does.

As a program, it is the command line on such a cluster: what runs on a terminal is another process.
"""

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

from ohmykube.cli import main
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget
from ohmykube.store.home import ClusterFolder
from ohmykube.store.state import MachineRecord, State
from tests.patience import PATIENCE
from tests.unit.cli.test_cli import made
from tests.unit.phases.fakes import FakeProvider

GIB = 2**30
ONE, TWO, THREE = PLANES = tuple(f"dev-control-plane-{number}" for number in (1, 2, 3))
WORKER = "dev-worker-1"
YEAR = 365 * 86400
HANGS = object()


def node(name, *, ready=True, cordoned=False, used=None):
    return {
        "name": name,
        "ready": ready,
        "words": "",
        "address": "10.0.0.1",
        "cordoned": cordoned,
        "pressures": [],
        "version": "v1.36.4",
        "allocatable": {"cpu": 2.0, "memory": 3.8 * GIB, "pods": 110.0},
        "requested": {"cpu": 0.95, "memory": 0.3 * GIB, "pods": 8.0},
        "used": used,
    }


def workload(namespace, name, kind="DaemonSet", missing="", addon=""):
    return {"kind": kind, "namespace": namespace, "name": name, "addon": addon, "missing": missing}


def healthy():
    return {
        "problem": "",
        "nodes": [node(name) for name in (*PLANES, WORKER)],
        "workloads": [
            workload("kube-flannel", "kube-flannel-ds"),
            workload("metallb-system", "controller", "Deployment"),
            workload("metallb-system", "speaker"),
            workload("local-path-storage", "local-path-provisioner", "Deployment"),
            workload("kube-system", "coredns", "Deployment"),
            workload("kube-system", "kube-proxy"),
        ],
        "load_balancers": [
            {"namespace": "default", "name": "web", "addresses": ["10.0.0.240"], "ports": [80, 443]},
            {"namespace": "default", "name": "later", "addresses": [], "ports": [80]},
        ],
        "certificates": [{"path": "/etc/kubernetes/pki/apiserver.crt", "ends": time.time() + YEAR, "kind": "kubeadm"}],
    }


class Provider(FakeProvider):
    def machines(self):
        return [replace(machine, ssh=target(machine.name)) for machine in super().machines()]


def target(name):
    return SshTarget(name, "root", Path("key"), Path("known_hosts"))


@dataclass
class World:
    """said: what each control plane says; an error is raised, and one that HANGS is silent until it is released."""

    folder: ClusterFolder
    provider: Provider = field(default_factory=lambda: Provider(existing=dict.fromkeys((*PLANES, WORKER), "running")))
    said: dict = field(default_factory=lambda: {name: healthy() for name in PLANES})
    asked: list = field(default_factory=list)
    hanging: list = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def ask(self, where, module, options=None, *, timeout):
        assert module == "cluster_overview"
        assert 0 < timeout < 30
        self.asked.append(where.host)
        said = self.said[where.host]
        if isinstance(said, OhmykubeError):
            raise said
        if said is HANGS:
            self.hanging.append(where.host)
            self.released.wait(PATIENCE)
            self.hanging.remove(where.host)
            raise OhmykubeError("ssh.unreachable", f"{where.host} did not answer in time")
        return said

    def recorded(self, name, host=""):
        """A control plane was seen there last; else where it is."""
        seen = Machine(name, "running", "10.0.0.9", ssh=target(host or name))
        record = MachineRecord(name, "control-plane", "control-plane", seen)
        self.folder.write_state(State("dev", "lima", (record,), ready="2026-01-01T00:00:00+00:00"))


def world(planes=3):
    """In the home that the environment names."""
    spec = {"provider": "lima", "hosts": [], "ssh": {}, "network": {}}
    found = World(made("dev", **spec, controlPlane={"count": planes}, workers=[{"name": "worker", "count": 1}]))
    for name in PLANES[planes:]:
        del found.provider.existing[name]
    return found


def installed(found):
    """A context in which the command line sees that world."""
    stack = ExitStack()
    stack.enter_context(mock.patch("ohmykube.nodes.ask", found.ask))
    stack.enter_context(mock.patch.object(Session, "provider", return_value=found.provider))
    return stack


if __name__ == "__main__":
    here = world()
    moody = Path("away")  # while this file is there, no API server answers
    whole = here.ask

    def ask(*args, **kwargs):
        if moody.exists():
            raise OhmykubeError("ssh.unreachable", "it is away")
        return whole(*args, **kwargs)

    here.ask = ask
    with installed(here):
        main([*sys.argv[1:], "--name", "dev"])
