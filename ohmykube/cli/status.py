"""status: one cluster as it is now, once or again and again."""

import shutil
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from ohmykube import kubeconfig, nodes, overview
from ohmykube.cli.options import Verb
from ohmykube.cli.status_text import text
from ohmykube.cli.wiring import Session
from ohmykube.model.machines import MachineSpec
from ohmykube.model.result import Result
from ohmykube.model.spec import Cluster
from ohmykube.model.validate import warnings
from ohmykube.overview import Overview
from ohmykube.store.home import ClusterFolder

_DAY = 86400  # seconds
# The namespace that the workloads of an add-on are in, by what the cluster file calls it.
_NAMESPACES = {
    "flannel": "kube-flannel",
    "metallb": "metallb-system",
    "local-path": "local-path-storage",
    "rook-ceph": "rook-ceph",
}


@click.command(
    "status",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube status
  ohmykube status --name dev -o json
  ohmykube status --watch              every 2 seconds, until Ctrl-C
  ohmykube status --watch 10 -o json   one object a line
""",
)
@click.option(
    "-w",
    "--watch",
    type=click.FloatRange(min=0.2),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Show it again and again.  [every 2]",
)
@click.pass_obj
def status_command(session: Session, /, watch: float | None) -> Result:
    """Show one cluster: its machines as the provider sees them, all else as its API server does.

    Nodes with what their pods ask for and what they use (where metrics-server or its like measures that), add-ons,
    addresses, and which certificate ends first.
    """
    folder = session.folder()
    if watch is None:
        return _status(session, folder)
    from ohmykube.cli import watching

    watching.watch(lambda: _status(session, folder), session.settings, every=watch)
    raise click.exceptions.Exit(0)


def _status(session: Session, folder: ClusterFolder) -> Result:
    cluster = session.stored(folder)
    context = session.context(cluster, folder)
    planes = [machine.name for machine in context.machines if machine.role == "control-plane"]
    recorded = [record.seen for record in context.state.machines if record.seen and record.name in planes]
    seen = overview.look(context.provider, planes, recorded, nodes.ask)
    machines = {machine.name: machine for machine in seen.machines}
    known = {node["name"]: node for node in seen.said.get("nodes", ())}
    rows = []
    for spec in context.machines:
        machine = machines.get(spec.name)
        rows.append(
            {
                "name": spec.name,
                "role": spec.role,
                "machine": machine.status if machine else "missing",
                "address": machine.address if machine else "",
                "detail": machine.detail if machine else "",
                **_node(spec, known, seen),
            }
        )
    data = {
        "name": cluster.name,
        "provider": cluster.spec.provider,
        "kubernetesVersion": cluster.spec.kubernetes_version,
        # the API server's word lags
        "ready": all(row["node"] == "Ready" and row["machine"] == "running" for row in rows),
        "problem": seen.problem,
        "warnings": warnings(cluster),
        "nodes": rows,
        "addons": [] if seen.problem else _addons(cluster, seen.said["workloads"]),
        **_access(folder, seen),
    }
    return Result("status", data, text=text(data, shutil.get_terminal_size().columns if sys.stdout.isatty() else 0))


def _node(spec: MachineSpec, known: Mapping[str, Any], seen: Overview) -> dict[str, Any]:
    """cpu in CPUs, memory in bytes; None where nobody tells of it."""
    node = known.get(spec.name)
    if node is None:
        nothing = dict.fromkeys(("cpu", "memory", "pods"))
        return {"node": "unknown" if seen.problem else "missing", "version": "", **nothing}
    told = {key: node[key] or {} for key in ("allocatable", "requested", "used")}
    amounts = {name: {key: _exact(name, each.get(name)) for key, each in told.items()} for name in ("cpu", "memory")}
    pods = {"allocatable": int(node["allocatable"]["pods"]), "running": int(node["requested"]["pods"])}
    return {
        "node": ("Ready" if node["ready"] else "NotReady") + (",SchedulingDisabled" if node["cordoned"] else ""),
        "version": node["version"],
        **amounts,
        "pods": pods,
    }


def _exact(name: str, amount: float | None) -> float | None:
    return amount if amount is None else round(amount, 3) if name == "cpu" else int(amount)


def _addons(cluster: Cluster, workloads: list[Mapping[str, str]]) -> list[dict[str, Any]]:
    """What the cluster file chose, and what else runs: of add-ons, and beside Kubernetes itself in kube-system."""
    spec = cluster.spec
    wished: list[str] = [
        name for name in (spec.network.cni, spec.network.load_balancer, spec.storage.csi) if name != "none"
    ]
    groups = {name: [each for each in workloads if _is_of(name, each)] for name in wished}
    for each in workloads:
        if each["addon"] or (each["namespace"] == "kube-system" and not any(_is_of(name, each) for name in wished)):
            groups.setdefault(each["addon"] or each["name"], []).append(each)
    return [_addon(name, parts) for name, parts in groups.items()]


def _is_of(name: str, workload: Mapping[str, str]) -> bool:
    """Cilium is in a namespace with others."""
    if name == "cilium":
        return workload["namespace"] == "kube-system" and workload["name"].startswith(("cilium", "hubble-"))
    return workload["namespace"] == _NAMESPACES.get(name)


def _addon(name: str, parts: list[Mapping[str, str]]) -> dict[str, Any]:
    missing = [f"{each['kind']} {each['name']}: {each['missing']}" for each in parts if each["missing"]]
    words = "; ".join(missing) if parts else "it is not there"
    return {"name": name, "available": not words, "detail": words}


def _access(folder: ClusterFolder, seen: Overview) -> dict[str, Any]:
    """How one gets in, and until when."""
    ends = [
        {"where": seen.teller, "path": each["path"], "ends": each["ends"]} for each in seen.said.get("certificates", ())
    ]
    server = None
    try:
        server, own = kubeconfig.reads(folder.kubeconfig)
        ends.append({"where": "this computer", "path": str(folder.kubeconfig), "ends": own})
    except (FileNotFoundError, ValueError):  # `doctor` has more to say of it
        pass
    first = min(ends, key=lambda each: each["ends"], default=None)
    if first:
        left = first["ends"] - time.time()
        first |= {"ends": datetime.fromtimestamp(first["ends"], UTC).isoformat(), "days": int(left // _DAY)}
    return {
        "endpoints": {
            "api": server,
            "kubeconfig": str(folder.kubeconfig) if folder.kubeconfig.exists() else None,
            "loadBalancers": seen.said.get("load_balancers", []),
        },
        "certificate": first,
    }
