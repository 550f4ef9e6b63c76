"""Which changes of a wish a running cluster can follow."""

from typing import Any

from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model import storage
from ohmykube.model.machines import wanted
from ohmykube.model.spec import Cluster

# Baked into the cluster at kubeadm init, or into the machines at their creation.
_FIXED = (
    "kubernetesVersion",
    "provider",
    "template",
    "network.podCIDR",
    "network.serviceCIDR",
    "network.proxyMode",
    "network.cni",
    "network.apiAddress",
)

_READ_BY_KUBEADM = ("swap",)


def refuse(old: Cluster, new: Cluster, *, made: bool = True) -> None:
    """Raise OhmykubeError `spec.fixed` for every change that `up` could not carry out; nothing is half applied.

    made: whether the cluster was ready once. Until then kubeadm begins anew, and reads its documents again.
    """
    before, after = old.as_data()["spec"], new.as_data()["spec"]
    problems = [
        _fixed(f"spec.{path}", _at(before, path), _at(after, path))
        for path in (*_FIXED, *(_READ_BY_KUBEADM if made else ()))
        if _at(before, path) != _at(after, path)
    ]
    if made:
        problems += [_read_once(kind) for kind in changed_documents(old, new) if kind != "JoinConfiguration"]
    problems += storage.changed(old, new)
    machines = {machine.name: machine for machine in wanted(new)}
    for machine in wanted(old):
        now = machines.get(machine.name)
        if now is None:
            problems += _leaving(new, machine.name, machine.role)
        elif (now.role, now.cpu, now.memory, now.disk, now.disks, now.address) != (
            machine.role,
            machine.cpu,
            machine.memory,
            machine.disk,
            machine.disks,
            machine.address,
        ):
            words = f"{machine.name} exists and cannot change its role, size or address"
            hint = "add a group of workers of the new size instead"
            problems.append(OhmykubeError("spec.fixed", words, hint=hint, exit_code=2))
    raise_all(problems)


def changed_documents(old: Cluster, new: Cluster) -> list[str]:
    """Kinds of the user's own kubeadm documents that say something else, come or go."""
    before, after = ({each["kind"]: each for each in it.spec.kubeadm.read.documents} for it in (old, new))
    return sorted(kind for kind in before.keys() | after.keys() if before.get(kind) != after.get(kind))


def _read_once(kind: str) -> OhmykubeError:
    return OhmykubeError(
        "spec.fixed",
        f"spec.kubeadm.config: the {kind} of an existing cluster cannot change: kubeadm has read it",
        hint="take the cluster down first, or choose another --name",
        context={"path": "spec.kubeadm.config"},
        exit_code=2,
    )


def _leaving(cluster: Cluster, name: str, role: str) -> list[OhmykubeError]:
    """Workers that ohmykube has made can go; others cannot be told from a slip of the pen."""
    if role == "worker" and cluster.spec.provider != "static":
        return []
    hint = f"`ohmykube delete {name} --name {cluster.name}` takes it out"
    return [OhmykubeError("spec.fixed", f"{name} would have to go", hint=hint, exit_code=2)]


def _at(spec: dict[str, Any], path: str) -> Any:
    value: Any = spec
    for key in path.split("."):
        value = value[key]
    return value


def _fixed(path: str, before: Any, after: Any) -> OhmykubeError:
    return OhmykubeError(
        "spec.fixed",
        f"{path}: an existing cluster cannot change from {before} to {after}",
        hint="take the cluster down first, or choose another --name",
        context={"path": path},
        exit_code=2,
    )
