"""The cluster as a whole: what its control planes say of themselves, and of all nodes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.health.certificates import DAY

from ohmykube import kubeconfig
from ohmykube.doctor.base import COMPUTER, Finding, Severity, ok, unknown
from ohmykube.doctor.machines import REMOVAL_TIMEOUT, Patient, moved
from ohmykube.doctor.nodes import Visit
from ohmykube.model.machines import Machine

_DAYS = 30  # a kubeconfig that ends within them is fetched anew


def judge(patient: Patient, visits: Sequence[Visit], seen: Sequence[Machine]) -> Iterator[Finding]:
    visited = [visit for visit in visits if visit.name in patient.planes and visit.said.get("joined")]
    planes = [plane for plane in visited if "api_server" in plane.said]
    for plane in visited:
        yield from (_api_server(plane), _etcd(plane)) if plane in planes else [_no_plane(patient, plane)]
    told = next((plane for plane in planes if not plane.said["cluster"]["problem"]), None)
    if told is None:
        what = "no API server answers, so nodes and DNS were not asked for"
        yield unknown("cluster", patient.name, what if planes else "no control plane could be asked about the cluster")
        return
    yield from _nodes(patient, told, {machine.name: machine.address for machine in seen})
    yield from _workloads(patient, told.said["cluster"]["unavailable"])
    yield from _dns(patient, told.said["dns_endpoints"])


def _no_plane(patient: Patient, plane: Visit) -> Finding:
    remedy = f"`ohmykube up --name {patient.name}`; if it was one before, see what became of /etc/kubernetes/manifests"
    return Finding("control-plane.missing", plane.name, "problem", "it does not run a control plane", remedy)


def _api_server(plane: Visit) -> Finding:
    if not plane.said["api_server"]:
        return ok("api-server", plane.name, "the API server is ready")
    what = f"the API server is not well: {plane.said['api_server']}"
    remedy = f"`ohmykube shell {plane.name} -- crictl ps -a --name kube-apiserver`, and `crictl logs` of it, say why"
    return Finding("api-server.not-ready", plane.name, "problem", what, remedy, passing=True)


def _etcd(plane: Visit) -> Finding:
    if not plane.said["etcd"]:
        return ok("etcd", plane.name, "etcd is healthy")
    what = f"etcd is not well: {plane.said['etcd']}"
    remedy = f"`ohmykube shell {plane.name} -- crictl ps -a --name etcd`, and `crictl logs` of it, say why"
    return Finding("etcd.unhealthy", plane.name, "problem", what, remedy, passing=True)


def _nodes(patient: Patient, told: Visit, addresses: Mapping[str, str]) -> Iterator[Finding]:
    known = {node["name"]: node for node in told.said["cluster"]["nodes"]}
    for spec in patient.machines:
        if spec.name in known:
            yield from _node(patient, known[spec.name], addresses.get(spec.name, ""))
        else:
            remedy = f"`ohmykube up --name {patient.name}` lets it join"
            yield Finding("node.missing", spec.name, "problem", "the API server knows no such node", remedy)
    wished = {spec.name for spec in patient.machines}
    for name in sorted(set(known) - wished - set(addresses)):
        options = {"nodes": [name], "dead": [name]}
        yield Finding(
            "node.ghost",
            name,
            "warning",
            "the API server knows this node, and there is no such machine",
            f"`ohmykube delete {name}`, or `ohmykube doctor --fix`",
            fix=partial(patient.ask, told.target, "kube_remove", options, timeout=REMOVAL_TIMEOUT),
        )


def _node(patient: Patient, node: Mapping[str, Any], address: str) -> Iterator[Finding]:
    name = node["name"]
    if node["ready"]:
        yield ok("node", name, "the node is Ready")
    else:
        remedy = f"`kubectl describe node {name}`; the other findings of this node say why"
        yield Finding(
            "node.not-ready", name, "problem", f"the node is not Ready: {node['words']}", remedy, passing=True
        )
    if node["pressures"]:
        what = f"the kubelet tells of {', '.join(node['pressures'])}"
        yield Finding("node.pressure", name, "problem", what, f"`kubectl describe node {name}` says of what")
    if node["cordoned"]:
        what = "it is cordoned: no new pod will run there"
        yield Finding("node.cordoned", name, "warning", what, f"`kubectl uncordon {name}`, unless that is your wish")
    if address and node["address"] and node["address"] != address:
        what = f"the cluster takes its address for {node['address']}, and it is {address}"
        yield moved(patient, name, what)


def _workloads(patient: Patient, unavailable: Sequence[str]) -> Iterator[Finding]:
    if not unavailable:
        yield ok("workload", patient.name, "all that the cluster itself runs is available")
        return
    remedy = "`kubectl get pods -A -o wide` shows where, `kubectl describe pod` why"
    yield Finding("workload.unavailable", patient.name, "problem", "; ".join(unavailable), remedy, passing=True)


def _dns(patient: Patient, said: Mapping[str, Any]) -> Iterator[Finding]:
    if said["problem"]:
        yield unknown("dns", patient.name, f"who answers for DNS was asked in vain: {said['problem']}")
    elif said["count"]:
        yield ok("dns", patient.name, f"{said['count']} pods answer for DNS")
    else:
        remedy = "`kubectl -n kube-system describe pods -l k8s-app=kube-dns` says why"
        yield Finding("dns.no-pods", patient.name, "problem", "no pod answers for DNS", remedy, passing=True)


@dataclass(frozen=True)
class Kubeconfig:
    """The cluster's own. refresh: fetch it anew from a control plane."""

    path: Path
    refresh: Callable[[], object]

    def judge(self) -> Iterator[Finding]:
        """Certificates that were renewed on the control plane are not in it by themselves."""
        try:
            _, ends = kubeconfig.reads(self.path)
        except FileNotFoundError:
            ends = 0.0
            what = f"{self.path} is gone"
        except ValueError:
            ends = 0.0
            what = f"{self.path} is damaged"
        else:
            what = f"the certificate in {self.path} {'ended' if ends < time.time() else 'will end'} within {_DAYS} days"
        if ends > time.time() + _DAYS * DAY:
            yield ok("kubeconfig", COMPUTER, "the kubeconfig is good")
            return
        severity: Severity = "problem" if ends < time.time() else "warning"
        remedy = "`ohmykube doctor --fix` fetches it anew; `ohmykube kubeconfig --merge` then brings it into yours"
        yield Finding("kubeconfig.stale", COMPUTER, severity, what, remedy, fix=self.refresh)
