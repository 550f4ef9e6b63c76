"""A cluster of two machines that is well, and nodes that answer."""

import base64
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import yaml

from ohmykube.doctor.cluster import Kubeconfig
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, SshTarget
from tests.unit.node.test_health_looks import certificate
from tests.unit.phases.fakes import FakeProvider

PLANE, WORKER = "dev-control-plane-1", "dev-worker-1"
YEAR = 365 * 86400.0


def healthy(name):
    """What node_health returns of a node that is well."""
    said = {
        "time": time.time(),
        "own_clock": True,
        "joined": True,
        "services": {"containerd": "active", "kubelet": "active"},
        "disks": [{"path": "/", "size": 100 * 2**30, "free": 50 * 2**30, "inodes": 1000, "inodes_free": 900}],
        "memory": {"size": 4 * 2**30, "free": 2**30},
        "certificates": [{"path": "/etc/kubernetes/pki/ca.crt", "ends": time.time() + YEAR, "kind": "authority"}],
        "pod_network": ["10-flannel.conflist"],
        "dns": "",
    }
    if name == PLANE:
        nodes = [
            {"name": each, "ready": True, "words": "", "address": address, "cordoned": False, "pressures": []}
            for each, address in ((PLANE, "10.0.0.1"), (WORKER, "10.0.0.2"))
        ]
        cluster = {"problem": "", "nodes": nodes, "unavailable": []}
        endpoints = {"problem": "", "count": 2}
        said |= {"api_server": "", "etcd": "", "cluster": cluster, "dns_endpoints": endpoints}
    return said


@dataclass
class Provider(FakeProvider):
    """Machines with a way to reach them, which is their name."""

    moved: dict[str, str] = field(default_factory=dict)  # name → address
    started: list[str] = field(default_factory=list)
    refuse_start: set[str] = field(default_factory=set)

    def start(self, name):
        if name in self.refuse_start:
            raise OhmykubeError("fake.refused", "no power")
        self.started.append(name)
        super().start(name)

    def machines(self):
        return [
            Machine(
                name,
                self.existing[name],
                self.moved.get(name, address),
                ssh=SshTarget(name, "root", Path("/key"), Path("/known_hosts")),
                detail="" if self.existing[name] != "broken" else "it has no systemd",
            )
            for name, address in self._addresses().items()
        ]

    def _addresses(self):
        known = {PLANE: "10.0.0.1", WORKER: "10.0.0.2"}
        return {name: known.get(name, "10.0.0.9") for name in sorted(self.existing)}


@dataclass
class Nodes:
    """In place of ssh: what each node says, and what it was told to do. silent: nodes that do not answer."""

    said: dict[str, dict] = field(default_factory=lambda: {name: healthy(name) for name in (PLANE, WORKER)})
    silent: set[str] = field(default_factory=set)
    told: list[tuple] = field(default_factory=list)
    refuses: OhmykubeError | None = None
    resumed: int = 0
    dies_of_remedies: bool = False

    def resume(self):
        self.resumed += 1

    def ask(self, target, module, options=None, *, timeout):
        if target.host in self.silent:
            raise OhmykubeError("ssh.unreachable", f"{target.host} cannot be reached by ssh", hint="is it running?")
        if module == "node_health":
            return {"changed": False, **self.said[target.host], "time": self.said[target.host]["time"] or time.time()}
        self.told.append((target.host, module, dict(options)))
        if self.refuses:
            raise self.refuses
        if module == "kubelet_identity" and "identity" not in options:
            return {"changed": False, "identity": f"of {options['node']}"}
        if self.dies_of_remedies:
            self.silent.add(target.host)
        if module in ("node_mend", "kubelet_identity"):
            self.said[target.host] = {**healthy(target.host)}
        return {"changed": True}


def written(path, ends):
    data = base64.b64encode(certificate(ends).encode()).decode()
    clusters = [{"cluster": {"server": "https://10.0.0.1:6443"}}]
    path.write_text(yaml.safe_dump({"clusters": clusters, "users": [{"user": {"client-certificate-data": data}}]}))
    return Kubeconfig(path, refresh=lambda: written(path, ends + timedelta(days=300)))


def wrong(findings):
    """(code, where) of all that is not well, by severity."""
    return {(each.code, each.where): each.severity for each in findings if each.severity != "ok"}
