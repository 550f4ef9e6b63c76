"""Which nodes a cluster has: nodes added to a wish, and nodes taken from it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.model.document import nearest
from ohmykube.model.machines import Role, wanted
from ohmykube.model.spec import Cluster, Group, WorkerGroup
from ohmykube.model.validate import even

DEFAULT_GROUP = "worker"
Member = TypeVar("Member", bound=Group)


@dataclass(frozen=True)
class Addition:
    """Nodes to add. group: one that exists, or a new one with `values` (keys of the cluster file's groups).

    role: control planes are all of one group, which has no name.
    """

    count: int = 1
    group: str = DEFAULT_GROUP
    values: Mapping[str, Any] = field(default_factory=dict)
    role: Role = "worker"


def add(cluster: Cluster, addition: Addition) -> Cluster:
    """The wish with these nodes too. Numbers of nodes that were deleted are used again.

    Raises OhmykubeError `group.differs` where a group of that name exists and is not as asked for, `spec.invalid`,
    `node.static`. What was an even number of control planes is to become an odd one.
    """
    if cluster.spec.provider == "static":
        raise OhmykubeError(
            "node.static",
            f"the machines of {cluster.name} exist already, so it must be told which one to take",
            hint=f"add it to spec.hosts of the cluster file, and `ohmykube up --name {cluster.name} -f FILE`",
            exit_code=2,
        )
    if addition.role == "control-plane":
        grown = _grown(cluster, cluster.spec.control_plane, addition)
        if grown.count % 2 == 0:
            hint = f"{grown.count - 1} or {grown.count + 1} is what you want"
            raise OhmykubeError("spec.invalid", f"--count: {even(grown.count)}", hint=hint, exit_code=2)
        return _with_spec(cluster, control_plane=grown)
    groups = list(cluster.spec.workers)
    names = [group.name for group in groups]
    if addition.group not in names:
        new = _group({**addition.values, "name": addition.group, "count": addition.count})
        return _with_spec(cluster, workers=(*groups, new))
    index = names.index(addition.group)
    groups[index] = _grown(cluster, groups[index], addition)
    return _with_spec(cluster, workers=tuple(groups))


def remove(cluster: Cluster, names: Sequence[str]) -> Cluster:
    """The wish without these nodes; the others keep their names. Raises OhmykubeError `node.unknown`, `node.last`."""
    machines = {machine.name: machine for machine in wanted(cluster)}
    raise_all([_unknown(cluster, name, list(machines)) for name in names if name not in machines])
    gone = {name for name in names if name in machines}
    if all(name in gone for name, machine in machines.items() if machine.role == "control-plane"):
        raise OhmykubeError(
            "node.last",
            f"{cluster.name} would be left without a control plane, and all that it knows would be lost",
            hint=f"`ohmykube down --name {cluster.name}` takes the whole cluster away",
            exit_code=2,
        )
    spec = cluster.spec
    if spec.provider == "static":
        return _with_spec(cluster, hosts=tuple(host for host in spec.hosts if host.name not in gone))
    plane = _without(spec.control_plane, f"{cluster.name}-control-plane-", gone, spec.control_plane.numbers[-1])
    workers = tuple(_without(group, f"{cluster.name}-{group.name}-", gone) for group in spec.workers)
    return _with_spec(cluster, control_plane=plane, workers=workers)


def with_gaps(wish: Cluster, before: Cluster) -> Cluster:
    """The wish, with numbers absent as they were before where it says nothing of that: nodes keep their names."""

    def kept(group: Member, old: Group | None) -> Member:
        return group.model_copy(update={"absent": old.absent}) if old and not group.absent else group

    old = {group.name: group for group in before.spec.workers}
    workers = tuple(kept(group, old.get(group.name)) for group in wish.spec.workers)
    plane = kept(wish.spec.control_plane, before.spec.control_plane)
    return _with_spec(wish, control_plane=plane, workers=workers)


def is_gone(cluster: Cluster, name: str) -> bool:
    """Whether this could be the name of a node that was deleted: it is not there, and its group is."""
    prefix, _, number = name.rpartition("-")
    groups = ["control-plane", *(group.name for group in cluster.spec.workers)]
    there = any(machine.name == name for machine in wanted(cluster))
    return not there and number.isdecimal() and prefix in [f"{cluster.name}-{group}" for group in groups]


def _grown(cluster: Cluster, group: Member, addition: Addition) -> Member:
    asked = _group({**group.model_dump(by_alias=True), **addition.values}, type(group))
    if asked != group:
        changed = ", ".join(f"{key} {value}" for key, value in addition.values.items())
        name = getattr(group, "name", "of control planes")
        raise OhmykubeError(
            "group.differs",
            f"the group {name} of {cluster.name} has other nodes than with {changed}",
            hint="nodes of a group are alike: name a new --group of workers, or leave these flags out",
            exit_code=2,
        )
    absent = tuple(sorted(group.absent)[addition.count :])
    return group.model_copy(update={"count": group.count + addition.count, "absent": absent})


def _group(values: Mapping[str, Any], kind: type[Group] = WorkerGroup) -> Group:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise_all([_invalid(str(problem["loc"][0]), str(problem["msg"])) for problem in problems])
        raise


def _invalid(key: str, words: str) -> OhmykubeError:
    return OhmykubeError("spec.invalid", f"{key}: {words.removeprefix('Value error, ')}", exit_code=2)


def _without(group: Member, prefix: str, gone: set[str], least: int = 0) -> Member:
    """least: up to this number it is told which ones are absent, also behind the last that is left."""
    left = [number for number in group.numbers if f"{prefix}{number}" not in gone]
    absent = sorted(set(range(1, max([*left, least], default=0) + 1)) - set(left))
    return group.model_copy(update={"count": len(left), "absent": tuple(absent)})


def _with_spec(cluster: Cluster, **changed: Any) -> Cluster:
    return cluster.model_copy(update={"spec": cluster.spec.model_copy(update=changed)})


def _unknown(cluster: Cluster, name: str, known: list[str]) -> OhmykubeError:
    hint = nearest(name, known)
    return OhmykubeError("node.unknown", f"{cluster.name} has no node {name!r}", hint=hint, exit_code=2)
