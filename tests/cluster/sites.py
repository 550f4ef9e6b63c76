"""Hosts that exist, how each looked before anything was done to it, and what differs now."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohmykube import ssh
from tests.hosts import machines
from tests.hosts.machines import Host

FOOTPRINT = Path(__file__).with_name("footprint.py").read_text()

READY = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"

# What somebody else has on the same hosts. Names and places are as near to ours as they may come.
FOREIGN = r"""
iptables -A INPUT -p tcp --dport 22 -m comment --comment "not KUBE-SERVICES" -j ACCEPT
iptables -t nat -N CNI-4711
iptables -t nat -A POSTROUTING -s 10.88.0.2/32 -m comment --comment 'name: "podman" id: "1"' -j CNI-4711
ip6tables -P FORWARD DROP
nft add table inet mine
nft add chain inet mine kube-proxy '{ type filter hook input priority 5; }'
nft add rule inet mine kube-proxy tcp dport 8472 counter accept
ip link add veth-mine type veth peer name veth-thine
ip netns add cni-mine
mkdir -p /etc/cni/net.d /opt/mine
echo '{"name": "podman"}' >/etc/cni/net.d/87-podman.conflist
mount -t tmpfs mine /opt/mine
ip netns exec cni-mine sleep infinity >/dev/null 2>&1 &
"""

# A pod with each kind of trace that pods leave: a port of the host, a volume, a mount in memory, an address of its own.
WORKLOAD = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
    - name: web
      image: docker.io/library/busybox:1.37.0
      command: [sh, -c, "echo hello >/data/index.html; httpd -f -h /data"]
      ports: [{containerPort: 80, hostPort: 8088}]
      volumeMounts: [{name: data, mountPath: /data}, {name: memory, mountPath: /memory, subPath: part}]
  volumes:
    - {name: data, persistentVolumeClaim: {claimName: data}}
    - {name: memory, emptyDir: {medium: Memory}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
"""

Footprint = Mapping[str, list[str]]


@dataclass(frozen=True)
class Site:
    """Machines, how each looked before anything was done to it, and a folder for files about them."""

    name: str
    hosts: Sequence[Host]
    before: Sequence[Footprint]
    folder: Path

    def changes(self) -> list[str]:
        """What differs from before, a line each."""
        return [
            f"{host.name}: {line}"
            for host, before in zip(self.hosts, self.before, strict=True)
            for line in difference(before, footprint(host))
        ]

    def variables(self) -> dict[str, Any]:
        """What machines of this kind need, alike for all."""
        return dict(machines.provider(self.name).variables(self.hosts[0].name))

    def sudo(self, number: int, script: str) -> str:
        """The output of a script as root on one of the hosts."""
        return sudo(self.hosts[number], script)

    @property
    def pool(self) -> str:
        network = self.hosts[0].address.rpartition(".")[0]
        return f"{network}.200-{network}.210"


def sudo(host: Host, script: str) -> str:
    return ssh.run(host.ssh, ["sudo", "sh", "-euc", script], timeout=60)


def footprint(host: Host) -> Footprint:
    seen: Footprint = json.loads(ssh.run(host.ssh, ["sudo", "python3", "-"], timeout=60, stdin=FOOTPRINT))
    return seen


def difference(before: Footprint, after: Footprint) -> list[str]:
    lines = []
    for kind in before:
        lines += [f"- {kind} {line}" for line in sorted(set(before[kind]) - set(after[kind]))]
        lines += [f"+ {kind} {line}" for line in sorted(set(after[kind]) - set(before[kind]))]
    # A disk of the machine is mounted there; containerd gives it its own mode.
    return [line for line in lines if " files /var/lib/containerd " not in line]
