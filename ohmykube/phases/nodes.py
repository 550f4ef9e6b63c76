"""Nodes that join a cluster which is there already, and nodes that leave it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine, wanted
from ohmykube.model.members import remove
from ohmykube.model.spec import Cluster
from ohmykube.phases.base import Context, execute
from ohmykube.phases.machines import delete_machines, running_planes, save
from ohmykube.phases.watch import watching

DRAIN_TIMEOUT = 120  # seconds


class JoinNodes:
    """Only the new nodes are touched, and the control plane that they join."""

    title = "Kubernetes"

    def needed(self, context: Context) -> bool:
        return True

    def run(self, context: Context) -> None:
        new = [machine.name for machine in context.targets]
        old = [machine.name for machine in running_planes(context) if machine.name not in new]
        second = len(_planes(context)) > 1 and len([name for name in _planes(context) if name not in new]) == 1
        names = [] if second else [*new, *old[:1]]  # every node is told of an address that is shared from now on
        with watching(context, names) as stop:
            context.play(self.title, "add", limit=names, stop=stop)


@dataclass(frozen=True)
class Removal:
    """nodes: their names. wish: the cluster without them. force: lose what holds them back.

    timeout: seconds to drain.
    """

    nodes: tuple[str, ...]
    wish: Cluster
    force: bool = False
    timeout: int = DRAIN_TIMEOUT


@dataclass(frozen=True)
class RemoveNodes:
    """Empty nodes, take them out of the cluster, and their machines away. Each step finds for itself what is left.

    removal: None for the machines that the wish does not have.
    """

    removal: Removal | None = None
    title: str = "remove nodes"

    def needed(self, context: Context) -> bool:
        return self.removal is not None or bool(_strays(context))

    def run(self, context: Context) -> None:
        removal = self.removal or Removal(_strays(context), context.cluster)
        self._leave(context, removal)
        if not context.provider.owns_machines:
            context.play(self.title, "reset", limit=removal.nodes)
        delete_machines(context, self.title, removal.nodes)  # one that stays keeps all of them in the wish
        context.cluster, context.machines = removal.wish, wanted(removal.wish)
        context.folder.write_spec(context.cluster.as_data())
        context.state = replace(context.state, adding=())
        save(context)

    def _leave(self, context: Context, removal: Removal) -> None:
        machines = context.provider.machines()
        running = {machine.name for machine in machines if machine.status == "running"}
        variables = {
            "remove_nodes": list(removal.nodes),
            "remove_dead": [name for name in removal.nodes if name not in running],
            "remove_addresses": _addresses(context, machines, removal.nodes),
            "remove_force": removal.force,
            "remove_timeout": removal.timeout,
        }
        staying = [machine.name for machine in running_planes(context) if machine.name not in removal.nodes]
        if not staying:
            raise OhmykubeError(
                "node.no-plane",
                f"no control plane that stays is running, so {', '.join(removal.nodes)} cannot leave the cluster",
                hint=f"`ohmykube start --name {context.cluster.name}` switches them on",
            )
        context.play(self.title, "remove", variables=variables, limit=staying)


def _addresses(context: Context, machines: Sequence[Machine], names: Sequence[str]) -> list[str]:
    """Those that they have, or had when they were seen last."""
    seen = {record.name: record.seen.address for record in context.state.machines if record.seen}
    seen |= {machine.name: machine.address for machine in machines if machine.address}
    return [seen[name] for name in names if name in seen]


def _planes(context: Context) -> list[str]:
    return [machine.name for machine in context.machines if machine.role == "control-plane"]


def _strays(context: Context) -> tuple[str, ...]:
    """Machines of the cluster that its wish does not have, of those that ohmykube makes."""
    known = {machine.name for machine in wanted(context.cluster)}
    return tuple(machine.name for machine in context.provider.machines() if machine.name not in known)


def roll_back(context: Context, before: Cluster, ready: Sequence[str], error: OhmykubeError) -> OhmykubeError:
    """After an `add` that failed: take away what did not become Ready, and what to tell of it.

    before: the wish without the new nodes. ready: those of them that stay, and then the verb is partly done.
    """
    made = {machine.name for machine in context.provider.machines()}
    failed = tuple(name for name in context.names if name not in ready)
    if not failed:  # the nodes are as they should be: the same verb again finishes
        return error
    wish = remove(context.cluster, failed) if ready else before
    if made.intersection(failed):
        execute((RemoveNodes(Removal(failed, wish, force=True)),), context)
    elif context.folder.exists():
        context.folder.write_spec(wish.as_data())
    words = f"{', '.join(failed)} {'was' if len(failed) == 1 else 'were'} taken away again"
    stays = f"; {', '.join(ready)} stays" if ready else ""
    return OhmykubeError(
        error.code,
        f"{error.message}\n{words}{stays}",
        hint=error.hint,
        context=error.context,
        exit_code=3 if ready else error.exit_code,
    )
