"""Each node by itself: reached over ssh, asked once by the module node_health, and judged here."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ohmykube.doctor.base import Finding, Severity, from_error, ok, unknown
from ohmykube.doctor.machines import Patient, running
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import SshTarget
from ohmykube.model.quantity import human_bytes

VISIT_TIMEOUT = 25.0  # seconds; what hangs there ends after ten
_MEND_TIMEOUT = 300.0  # seconds; new certificates restart a control plane
_CLOCK_OFF = 2.0  # seconds: etcd complains of one, ssh and Python take part of another
_DAYS = 30  # certificates that end within them are renewed
_DAY = 86400.0  # seconds
_CODES = {"kubelet": "certificate.kubelet", "kubeadm": "certificate", "authority": "certificate.ca"}
# The kubelet evicts pods below a tenth of the disk and a twentieth of the inodes, and with less memory than this.
_DISK_LOW, _DISK_GONE, _INODES_GONE = 0.15, 0.10, 0.05
_MEMORY_LOW, _MEMORY_GONE = 200 * 2**20, 100 * 2**20


@dataclass(frozen=True)
class Visit:
    """began, ended: this computer's clock, seconds since the epoch. said: what node_health returned, if it did."""

    name: str
    target: SshTarget
    began: float
    ended: float
    said: Mapping[str, Any] = field(default_factory=dict)
    error: OhmykubeError | None = None


def visit(patient: Patient, targets: Mapping[str, SshTarget]) -> list[Visit]:
    """All nodes at once. targets: by name."""
    if not targets:
        return []
    with ThreadPoolExecutor(len(targets)) as pool:
        return list(pool.map(lambda item: _visit(patient, *item), targets.items()))


def judge(patient: Patient, visit: Visit) -> Iterator[Finding]:
    name, said = visit.name, visit.said
    if visit.error:
        yield from from_error(visit.error, name, passing=True)
        yield unknown("node", name, "nothing else of it could be looked at")
        return
    yield ok("ssh", name, "it answers ssh")
    yield from _clock(patient, visit)
    yield from _services(patient, visit)
    for disk in said["disks"]:
        yield from _disk(name, disk)
    yield _memory(name, said["memory"])
    yield from _certificates(patient, visit)
    if not said["joined"]:
        remedy = f"`ohmykube up --name {patient.name}` lets it join"
        yield Finding("node.not-joined", name, "problem", "it has not joined the cluster", remedy)
        return
    yield _pod_network(name, said["pod_network"])
    yield _dns(name, said["dns"])


def _visit(patient: Patient, name: str, target: SshTarget) -> Visit:
    began = time.time()
    try:
        said = patient.ask(target, "node_health", timeout=VISIT_TIMEOUT)
    except OhmykubeError as error:
        return Visit(name, target, began, time.time(), error=error)
    return Visit(name, target, began, time.time(), said)


def _mend(patient: Patient, visit: Visit, **options: object) -> partial[dict[str, Any]]:
    return partial(patient.ask, visit.target, "node_mend", options, timeout=_MEND_TIMEOUT)


def _clock(patient: Patient, visit: Visit) -> Iterator[Finding]:
    """Its clock was read at some moment of the visit: a time within it is no difference."""
    seen = visit.said["time"]
    ahead = seen - visit.ended if seen > visit.ended else min(seen - visit.began, 0.0)
    if not visit.said["own_clock"]:
        yield ok("clock", visit.name, "it shares its computer's clock")
    elif abs(ahead) <= _CLOCK_OFF:
        yield ok("clock", visit.name, "its clock is right")
    else:
        what = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this computer's"
        remedy = "`ohmykube doctor --fix` sets it"
        fix = _mend(patient, visit, clock_ahead=seen - (visit.began + visit.ended) / 2)
        yield Finding("clock.off", visit.name, "problem", what, remedy, fix=fix)


def _services(patient: Patient, visit: Visit) -> Iterator[Finding]:
    """All in one remedy: the kubelet needs containerd first."""
    states = visit.said["services"]
    down = {service: state for service, state in states.items() if state != "active"}
    if not down:
        yield ok("service", visit.name, f"{' and '.join(states)} are active")
    elif "not-found" in down.values():
        missing = " and ".join(service for service, state in down.items() if state == "not-found")
        remedy = f"`ohmykube up --name {patient.name}` installs it"
        yield Finding("service.missing", visit.name, "problem", f"there is no service {missing}", remedy)
    else:
        what = ", ".join(f"{service} is {state}" for service, state in down.items())
        remedy = f"`ohmykube doctor --fix` restarts it; why: `ohmykube shell {visit.name} -- journalctl -u {min(down)}`"
        fix = _mend(patient, visit, services=list(states))
        yield Finding("service.down", visit.name, "problem", what, remedy, fix=fix, passing=True)


def _disk(name: str, disk: Mapping[str, Any]) -> Iterator[Finding]:
    free, inodes = disk["free"] / (disk["size"] or 1), disk["inodes_free"] / (disk["inodes"] or 1)
    what = f"{human_bytes(disk['free'])} ({free:.0%}) are free on the disk of {disk['path']}"
    remedy = f"`ohmykube shell {name} -- du -xh {disk['path']}` shows what takes it; `crictl rmi --prune` frees images"
    if free < _DISK_LOW:
        yield Finding("disk.low", name, "problem" if free < _DISK_GONE else "warning", f"only {what}", remedy)
    elif disk["inodes"] and inodes < _INODES_GONE:
        what = f"only {inodes:.0%} of the inodes are free on the disk of {disk['path']}"
        yield Finding("inodes.low", name, "problem", what, "remove small files there")
    else:
        yield ok("disk", name, what)


def _memory(name: str, memory: Mapping[str, int]) -> Finding:
    what = f"{human_bytes(memory['free'])} of {human_bytes(memory['size'])} memory are free"
    if not memory["size"] or memory["free"] >= _MEMORY_LOW:
        return ok("memory", name, what)
    severity: Severity = "problem" if memory["free"] < _MEMORY_GONE else "warning"
    remedy = "give the pods there limits, or the group of nodes more memory"
    return Finding("memory.low", name, severity, f"only {what}", remedy)


def _certificates(patient: Patient, visit: Visit) -> Iterator[Finding]:
    """Judged by this computer's clock: the node's may be what is wrong. The first to end stands for all."""
    found = visit.said["certificates"]
    limit = visit.ended + _DAYS * _DAY
    ending = [each for each in found if each["ends"] < limit]
    for kind in ("kubelet", "kubeadm", "authority"):  # the kubelet first: it runs the others' control plane
        some = [each for each in ending if each["kind"] == kind]
        if some:
            yield _ending(patient, visit, kind, some)
    if found and not ending:
        yield ok("certificate", visit.name, f"its certificates are good until {_day(found[0]['ends'])} at least")


def _ending(patient: Patient, visit: Visit, kind: str, ending: Sequence[Mapping[str, Any]]) -> Finding:
    first = ending[0]
    ended = first["ends"] < visit.ended
    others = f" and {len(ending) - 1} more" if len(ending) > 1 else ""
    what = f"{first['path']}{others} {'ended' if ended else 'will end'} on {_day(first['ends'])}"
    severity: Severity = "problem" if ended else "warning"
    code = f"{_CODES[kind]}.{'ended' if ended else 'ends'}"
    if kind == "authority":
        remedy = "a new authority is a new cluster: save what you need, then `ohmykube down` and `ohmykube up`"
        return Finding(code, visit.name, severity, what, remedy)
    fix = _mend(patient, visit, renew_days=_DAYS) if kind == "kubeadm" else partial(_new_identity, patient, visit)
    return Finding(code, visit.name, severity, what, "`ohmykube doctor --fix` renews it", fix=fix)


def _new_identity(patient: Patient, visit: Visit) -> None:
    """For a kubelet that was off for so long that it cannot renew its own: a control plane signs it without being
    asked over the API, which may be what does not run."""
    targets = running(patient, patient.provider.machines())
    signers = [visit.name] if visit.name in patient.planes else patient.planes
    signer = next((targets[name] for name in signers if name in targets), None)
    if signer is None:
        hint = "start the control plane first"
        raise OhmykubeError("certificate.no-signer", "no control plane runs that could sign it", hint=hint)
    told = patient.ask(signer, "kubelet_identity", {"node": visit.name}, timeout=_MEND_TIMEOUT)
    options = {"node": visit.name, "identity": told["identity"]}
    patient.ask(visit.target, "kubelet_identity", options, timeout=_MEND_TIMEOUT)


def _pod_network(name: str, configured: Sequence[str]) -> Finding:
    if configured:
        return ok("pod-network", name, f"its pod network is configured by {configured[0]}")
    remedy = "the pod network's own pod writes it: see why that one does not run with `kubectl get pods -A -o wide`"
    return Finding("pod-network.missing", name, "problem", "no pod network is configured", remedy, passing=True)


def _dns(name: str, wrong: str) -> Finding:
    if not wrong:
        return ok("dns", name, "the cluster's DNS answers here")
    remedy = "`kubectl -n kube-system get pods -o wide`: are CoreDNS, kube-proxy and the pod network well?"
    return Finding(
        "dns.silent", name, "problem", f"the cluster's DNS does not answer here: {wrong}", remedy, passing=True
    )


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
