# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Nodes that leave: emptied first, so that nothing that runs or is kept there is lost unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd, forget, refuse_loss
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, patiently

_WAIT = 60  # seconds for the API server to answer
_MARGIN = 30  # seconds that kubectl may take beyond the time it is given
_HOSTNAME = "kubernetes.io/hostname"
_BUDGET = re.compile(r'error when evicting pods?/"([^"]+)" -n "([^"]+)".*disruption budget')
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Removal:
    """nodes: their names. dead: those whose machine does not run, so that nobody there can say that a pod has ended.

    force: lose volumes, bare pods, and what cannot be evicted. timeout: seconds for the drain. addresses: of the nodes;
    etcd knows a member that has never begun by nothing else.
    """

    nodes: Sequence[str]
    dead: Sequence[str]
    force: bool
    timeout: int
    addresses: Sequence[str] = ()


def remove(kubectl: Kubectl, removal: Removal, etcd: Etcd | None = None, *, dry_run: bool) -> list[str]:
    """Drain the nodes, take them out of etcd, and delete their objects; what was there.

    etcd: None where it is not the cluster's own. Raises OhmykubeError `etcd.quorum`, `node.volumes` or
    `node.not-drained`, and then they take pods as before.
    """
    if etcd and not removal.force:
        refuse_loss(etcd, removal.nodes, removal.addresses, hint="--force removes it all the same")
    known = {item["metadata"]["name"]: item for item in patiently(lambda: kubectl.items("nodes"), timeout=_WAIT)}
    there = [name for name in removal.nodes if name in known]
    if dry_run:
        return there
    if there:
        _empty(kubectl, removal, there, known)
    gone = patiently(lambda: forget(etcd, removal.nodes, removal.addresses), timeout=_WAIT) if etcd else []
    if there:  # the API server may have been that of a control plane which has just left
        patiently(lambda: kubectl.text("delete", "nodes", "--ignore-not-found", *there), timeout=_WAIT)
    return [*there, *(member for member in gone if member not in there)]


def _empty(kubectl: Kubectl, removal: Removal, there: Sequence[str], known: Mapping[str, Item]) -> None:
    if not removal.force:
        _refuse_volumes(kubectl, there)
    schedulable = [name for name in there if not known[name]["spec"].get("unschedulable")]
    living = [name for name in there if name not in removal.dead]
    _drain(kubectl, living, removal, schedulable)
    _drain(kubectl, [name for name in there if name in removal.dead], removal, schedulable)


def _drain(kubectl: Kubectl, nodes: Sequence[str], removal: Removal, schedulable: Sequence[str]) -> None:
    if not nodes:
        return
    words = ["drain", *nodes, "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={removal.timeout}s"]
    if nodes[0] in removal.dead:
        words += ["--skip-wait-for-delete-timeout=1"]
    if removal.force:
        words += ["--force"]
    done = kubectl.run(*words, timeout=removal.timeout + _MARGIN)
    if done.code == 0 or removal.force:
        return
    if not _names(kubectl).intersection(nodes):  # one that was killed here, and went on over there, has finished it
        return
    blocking = _blocking(kubectl, nodes, done.stderr)
    for name in schedulable:
        kubectl.run("uncordon", name)
    last = done.stderr.strip().splitlines()[-1:] or ["no output"]
    raise OhmykubeError(
        "node.not-drained",
        f"{', '.join(nodes)} could not be emptied within {removal.timeout} s: {'; '.join(blocking) or last[0]}",
        hint="make room for these pods, or remove what holds them; --force removes the node all the same",
        context={"pods": ", ".join(blocking), "output": done.stderr[-3000:]},
    )


def _names(kubectl: Kubectl) -> set[str]:
    return {item["metadata"]["name"] for item in kubectl.items("nodes")}


def _blocking(kubectl: Kubectl, nodes: Sequence[str], words: str) -> list[str]:
    """The pods that are still there, each with what holds it."""
    budgets = {f"{space}/{name}" for name, space in _BUDGET.findall(words)}
    found = []
    for node in nodes:
        for pod in kubectl.items("pods", "--all-namespaces", f"--field-selector=spec.nodeName={node}"):
            owners = pod["metadata"].get("ownerReferences", [])
            if any(owner["kind"] in ("DaemonSet", "Node") for owner in owners):
                continue
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            why = "a disruption budget holds it" if name in budgets else "" if owners else "nothing would make it anew"
            found.append(f"{name} ({why})" if why else name)
    return found


def _refuse_volumes(kubectl: Kubectl, nodes: Sequence[str]) -> None:
    """Volumes that lie on a node's own disk go with it."""
    lost = [
        f"{claim['namespace']}/{claim['name']} on {node}"
        for volume in kubectl.items("persistentvolumes")
        if volume.get("status", {}).get("phase") == "Bound" and (claim := volume["spec"].get("claimRef"))
        for node in nodes
        if node in _places(volume)
    ]
    if lost:
        raise OhmykubeError(
            "node.volumes",
            f"data would be lost with the volumes of {', '.join(lost)}",
            hint="copy it away and delete these claims; --force removes the node with them",
            context={"claims": ", ".join(lost)},
        )


def _places(volume: Item) -> set[str]:
    """The only nodes that a volume can be used on; empty where it is tied to none."""
    terms = volume["spec"].get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", [])
    return {
        value
        for term in terms
        for match in term.get("matchExpressions", [])
        if match["key"] == _HOSTNAME
        for value in match.get("values", [])
    }
