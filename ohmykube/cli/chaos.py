"""chaos: nodes that fail on purpose, for a while."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from ohmykube import ssh
from ohmykube.chaos import faults
from ohmykube.chaos.faults import Fault
from ohmykube.cli import complete
from ohmykube.cli.chaos_power import Nodes, power_off, power_on, switch_on
from ohmykube.cli.options import Verb
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.duration import human_duration, parse_duration
from ohmykube.model.result import Result

Function = TypeVar("Function", bound=Callable[..., Any])

_SHORTEST, _LONGEST = 2.0, 86400.0  # seconds
_COLUMNS = ("node", "fault", "left", "until", "detail")


@click.group("chaos", epilog="\b\nExamples:\n  ohmykube chaos partition dev-worker-1 --for 2m\n  ohmykube chaos status")
def chaos_command() -> None:
    """Make nodes fail for a while, to see what becomes of your application.

    Every fault ends by itself after its time, also when this computer is switched off meanwhile; only a machine whose
    power was cut is switched on from here.
    """


def _fault(name: str, *examples: str) -> Callable[[Function], click.Command]:
    """A verb on one node, with the flag that all faults have."""

    def decorate(function: Function) -> click.Command:
        duration = click.option(
            "--for", "duration", default="60s", show_default=True, metavar="TIME", help="How long: 30s, 5m, 1h."
        )
        lines = "\n".join(f"  ohmykube chaos {name} {example}" for example in examples)
        command = chaos_command.command(name, cls=Verb, epilog=f"\b\nExamples:\n{lines}")
        return command(click.argument("node")(duration(click.pass_obj(function))))

    return decorate


@_fault("power-off", "dev-worker-1", "dev-worker-1 --for 5m")
def power_off_command(session: Session, /, node: str, duration: str) -> Result:
    """Cut the power of a node's machine.

    As when the plug is pulled. A process on this computer switches it on again after the time; it stays when this
    terminal is closed.
    """
    seconds = _seconds(duration)
    power_off(session, node, seconds)
    return _begun("power-off", Fault(node, "power-off", "its power is cut", seconds))


@_fault("partition", "dev-worker-1", "dev-worker-1 --from dev-control-plane-1 --for 5m")
@click.option("--from", "peers", multiple=True, metavar="NODE", help="Only from this node (repeatable).")
def partition_command(session: Session, /, node: str, duration: str, peers: tuple[str, ...]) -> Result:
    """Cut a node off from other nodes.

    With its pods, from the other nodes and theirs. ssh from this computer goes on.
    """
    seconds = _seconds(duration)
    nodes = Nodes(session)
    fault = faults.begin(nodes.get(node), "partition", seconds, peers=nodes.addresses(node, peers))
    return _begun("partition", fault)


@_fault("delay", "dev-worker-1", "dev-worker-1 --by 300ms --loss 5%")
@click.option("--by", default="100ms", show_default=True, metavar="TIME", help="How long each packet is held back.")
@click.option("--loss", default="0%", show_default=True, metavar="PERCENT", help="How many packets are lost.")
def delay_command(session: Session, /, node: str, duration: str, by: str, loss: str) -> Result:
    """Make a node's network slow and lossy.

    For all that it sends to other machines, answers to this computer too.
    """
    seconds, delay, lost = _seconds(duration), parse_duration(by) * 1000, _percent(loss)
    nodes = Nodes(session)
    return _begun(
        "delay", faults.begin(nodes.get(node), "delay", seconds, delay=delay, loss=lost, peers=nodes.addresses(node))
    )


@_fault("fill-disk", "dev-worker-1", "dev-worker-1 --path /var/lib/containerd --for 5m")
@click.option("--path", default="/var/lib/kubelet", show_default=True, metavar="FOLDER", help="On the node.")
def fill_disk_command(session: Session, /, node: str, duration: str, path: str) -> Result:
    """Fill a node's disk.

    The file system of a folder, to its last byte. Refused where it is not the machine's own: system containers
    (provider nspawn) share that of this computer.
    """
    return _begun("fill-disk", faults.begin(Nodes(session).get(node), "fill-disk", _seconds(duration), path=path))


@_fault("skew-clock", "dev-worker-1", "dev-worker-1 --by -5m --for 10m")
@click.option("--by", default="+1h", show_default=True, metavar="TIME", help="Ahead (+1h) or behind (-5m).")
def skew_clock_command(session: Session, /, node: str, duration: str, by: str) -> Result:
    """Set a node's clock wrong.

    What keeps its time is stopped meanwhile. Refused for system containers (provider nspawn), which have the clock of
    this computer.
    """
    skew = parse_duration(by.lstrip("+-")) * (-1 if by.startswith("-") else 1)
    return _begun("skew-clock", faults.begin(Nodes(session).get(node), "skew-clock", _seconds(duration), skew=skew))


@chaos_command.command(
    "heal",
    cls=Verb,
    epilog="\b\nExamples:\n  ohmykube chaos heal                 all nodes\n  ohmykube chaos heal dev-worker-1",
)
@click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=complete.nodes)
@click.pass_obj
def heal_command(session: Session, /, nodes: tuple[str, ...]) -> Result:
    """End faults now.

    Those of the nodes that are named; of all nodes, where none is.
    """
    there = Nodes(session)
    rows, errors = _on_each(there, nodes or tuple(there.machines), lambda name: _heal(session, there, name))
    text = "\n".join(f"{row['node']}: {row['fault']} healed" for row in rows) or "No fault is in force."
    return Result("chaos heal", rows, text=text, status="partial" if errors else "ok", errors=errors)


@chaos_command.command(
    "status", cls=Verb, epilog="\b\nExamples:\n  ohmykube chaos status\n  ohmykube chaos status -o json"
)
@click.pass_obj
def status_command(session: Session, /) -> Result:
    """Show the faults in force.

    As the nodes themselves tell, and how long they last.
    """
    there = Nodes(session)
    rows, errors = _on_each(there, tuple(there.machines), lambda name: _in_force(there, name))
    text = None if rows else "No fault is in force."
    return Result(
        "chaos status", rows, text=text, columns=_COLUMNS, status="partial" if errors else "ok", errors=errors
    )


@chaos_command.command("power-on", cls=Verb, hidden=True)
@click.argument("node")
@click.option("--after", type=float, required=True)
@click.pass_obj
def power_on_command(session: Session, /, node: str, after: float) -> Result:
    """What `power-off` leaves behind: wait so many seconds, and switch the machine on."""
    return Result("chaos power-on", {"node": node, "changed": power_on(session, node, after)}, text="")


def _heal(session: Session, there: Nodes, name: str) -> list[Fault]:
    """The power first; a machine that was off has no other fault."""
    cut = there.cuts.find(name)
    if cut and switch_on(session, cut):
        target = Nodes(session).get(name).ssh
        if target:
            ssh.wait(target, timeout=300)
        return [Fault(name, "power-off", "its power was cut", None)]
    machine = there.machines[name]
    return faults.heal(machine) if machine.status == "running" else []


def _in_force(there: Nodes, name: str) -> list[Fault]:
    machine = there.machines[name]
    if machine.status == "running":
        return faults.in_force(machine)
    cut = there.cuts.find(name)
    if not cut:
        return []
    left = max(0.0, cut.until - datetime.now(UTC).timestamp())
    if cut.awaited:
        return [Fault(name, "power-off", "its power is cut", left)]
    return [Fault(name, "power-off", f"its power is cut, until `ohmykube chaos heal {name}`", None)]


def _on_each(
    there: Nodes, names: tuple[str, ...], look: Callable[[str], list[Fault]]
) -> tuple[list[dict[str, Any]], tuple[OhmykubeError, ...]]:
    """Rows of what was found on each node, side by side; and of those that could not be asked, why."""
    errors = []

    def one(name: str) -> list[Fault]:
        try:
            return look(name)
        except OhmykubeError as error:
            errors.append(error)
            return []

    for name in names:
        there.get(name)
    with ThreadPoolExecutor(max_workers=16) as pool:
        found = list(pool.map(one, names))
    return [_row(fault) for faults_of_one in found for fault in faults_of_one], tuple(errors)


def _begun(verb: str, fault: Fault) -> Result:
    row = _row(fault)
    text = f"{fault.node}: {fault.detail} for {row['left']}, until {row['until']}."
    return Result(f"chaos {verb}", row, text=f"{text} `ohmykube chaos heal {fault.node}` ends it now.")


def _row(fault: Fault) -> dict[str, Any]:
    """until: by this computer's clock, in its own time."""
    row = {"node": fault.node, "fault": fault.kind, "detail": fault.detail, "seconds": fault.seconds}
    if fault.seconds is None:
        return {**row, "left": "", "until": ""}
    until = datetime.now().astimezone() + timedelta(seconds=fault.seconds)
    return {**row, "left": human_duration(fault.seconds), "until": until.isoformat(" ", "seconds")}


def _seconds(duration: str) -> float:
    seconds = parse_duration(duration)
    if not _SHORTEST <= seconds <= _LONGEST:
        shortest, longest = human_duration(_SHORTEST), human_duration(_LONGEST)
        message = f"a fault lasts {shortest} to {longest}, not {duration}"
        raise OhmykubeError("chaos.duration", message, hint="`ohmykube chaos heal` ends it at any time", exit_code=2)
    return seconds


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:
        raise OhmykubeError("chaos.percent", f"{text!r} is no share of packets", hint="write 5%", exit_code=2)
    return percent
