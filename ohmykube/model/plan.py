"""What `up` would do to make a cluster as it is wished. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ohmykube.errors import OhmykubeError, each
from ohmykube.model.changes import changed_documents, refuse
from ohmykube.model.machines import Machine, MachineSpec, wanted
from ohmykube.model.parts import Part, parts
from ohmykube.model.quantity import format_bytes
from ohmykube.model.spec import Cluster, Host, Spec

Action = Literal["create", "start", "remove", "mark", "place", "restore", "run", "change"]
_MARKS = ("labels", "annotations", "taints")
# Keys of the specification that other steps speak of: machines, marks, files, hooks, add-ons, what kubeadm's files say.
_TOLD = frozenset({"workers", "controlPlane", "hosts", "files", "hooks", "read", "addons"})


@dataclass(frozen=True)
class Step:
    """One thing that would be done. what: a machine, or the path of a field. detail: in words."""

    action: Action
    what: str
    detail: str = ""


def steps(before: Cluster | None, wish: Cluster, machines: Sequence[Machine]) -> list[Step]:
    """before: as it was last wished; None where there is no cluster. machines: those that exist."""
    there = {machine.name: machine for machine in machines}
    wished = wanted(wish)
    names = {machine.name for machine in wished}
    return [
        *(Step("create", machine.name, _size(machine)) for machine in wished if machine.name not in there),
        *(
            Step("start", machine.name, f"it is {there[machine.name].status}")
            for machine in wished
            if machine.name in there and there[machine.name].status != "running"
        ),
        *(Step("remove", name, "emptied first") for name in there if name not in names),
        *(_changes(before, wish) if before else ()),
    ]


def refusals(before: Cluster | None, wish: Cluster, *, made: bool = True) -> list[OhmykubeError]:
    """What a running cluster cannot follow, so that `up` would do nothing at all. made: see `refuse`."""
    try:
        if before:
            refuse(before, wish, made=made)
    except OhmykubeError as error:
        return each(error)
    return []


def _changes(before: Cluster, wish: Cluster) -> Iterator[Step]:
    old, new = before.as_data()["spec"], wish.as_data()["spec"]
    groups = {group["name"]: group for group in old["workers"]}
    pairs = [("control-plane", old["controlPlane"], new["controlPlane"])]
    pairs += [(group["name"], groups[group["name"]], group) for group in new["workers"] if group["name"] in groups]
    for name, was, now in pairs:
        for key in _MARKS:
            if was[key] != now[key]:
                yield Step("mark", f"group {name}", f"{key} {_shown(now[key])}")
    was_there = {_called(part): part for _, part in parts(before)}
    for _, part in parts(wish):
        if _called(part) in was_there:
            yield from _custom(_called(part), was_there[_called(part)], part)
    yield from _addons(before.spec, wish.spec)
    for path, was, now in _differences(old, new):
        yield Step("change", path, f"{_shown(was)} -> {_shown(now)}")
    for kind in changed_documents(before, wish):
        yield Step("change", "spec.kubeadm.config", kind)
    patches, were = wish.spec.kubeadm.read.patches, before.spec.kubeadm.read.patches
    for name in sorted(name for name in patches.keys() | were.keys() if patches.get(name) != were.get(name)):
        yield Step("change", "spec.kubeadm.patches", f"{name}, for nodes that are made from now on")


def _custom(where: str, was: Part, now: Part) -> Iterator[Step]:
    """Files, and hooks that are new or have changed, on nodes that are there. What is in them is not told."""
    placed = {file.path: file.identity for file in was.files}
    for file in now.files:
        if placed.pop(file.path, None) != file.identity:
            yield Step("place", where, f"file {file.path}")
    for path in placed:
        yield Step("restore", where, f"file {path} as it was before")
    for (moment, hooks), (_, others) in zip(now.hooks.moments(), was.hooks.moments(), strict=True):
        ran = {(hook.name, hook.identity) for hook in others}
        for hook in hooks:
            if (hook.name, hook.identity) not in ran:
                yield Step("run", where, f"run hook {hook.name} ({moment})")


def _addons(was: Spec, now: Spec) -> Iterator[Step]:
    before, after = ({addon.name: addon for addon in spec.addons} for spec in (was, now))
    for name, addon in after.items():
        if name not in before:
            yield Step("change", "spec.addons", f"{name} comes")
        elif addon.files != before[name].files:
            yield Step("change", "spec.addons", f"{name}, whose files have changed")
    yield from (Step("change", "spec.addons", f"{name} goes") for name in before if name not in after)


def _called(part: Part) -> str:
    if isinstance(part, Spec):
        return "all nodes"
    return part.name if isinstance(part, Host) else f"group {getattr(part, 'name', 'control-plane')}"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "spec") -> Iterator[tuple[str, Any, Any]]:
    for key in new:
        if key in _TOLD or old.get(key) == new[key]:
            continue
        if isinstance(new[key], dict) and isinstance(old.get(key), dict):
            yield from _differences(old[key], new[key], f"{path}.{key}")
        else:
            yield f"{path}.{key}", old.get(key), new[key]


def _size(machine: MachineSpec) -> str:
    if machine.address:
        return f"{machine.role} at {machine.address}"
    memory, disk = format_bytes(machine.memory), format_bytes(machine.disk)
    return f"{machine.role}, {machine.cpu} CPU, {memory} of memory, {disk} of disk"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in ("", None) else str(value)
