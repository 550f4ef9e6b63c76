"""plan: what `up` would do."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ohmykube.cli.options import Verb
from ohmykube.cli.output import aligned
from ohmykube.cli.wiring import Session
from ohmykube.cli.wish import given_flags, wish
from ohmykube.model.plan import refusals, steps
from ohmykube.model.result import Result
from ohmykube.model.validate import warnings

_SIGNS = {
    "create": "+",
    "start": "> start",
    "remove": "-",
    "mark": "~",
    "place": "~",
    "restore": "~",
    "run": "~",
    "change": "~",
}


@click.command(
    "plan",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube plan -f dev.yaml    what `up -f dev.yaml` would do, or refuse
  ohmykube plan --workers 5
""",
)
@wish
@click.pass_obj
def plan_command(session: Session, /, file: Path | None, **flags: Any) -> Result:
    """Show what `up` with the same flags would do, and do nothing.

    Exits with 2 where `up` would refuse: a running cluster cannot follow every change.
    """
    cluster = session.described(file, given_flags(flags))
    folder = session.home.cluster(cluster.name)
    before = session.stored(folder) if folder.exists() else None
    machines = session.provider(cluster, folder).machines()
    found, refused = steps(before, cluster, machines), refusals(before, cluster, made=session.made(folder))
    doubts = warnings(cluster)
    data = {"name": cluster.name, "steps": [asdict(step) for step in found], "warnings": doubts}
    nothing = f"{cluster.name} has all machines that are wished, and nothing in the wish has changed."
    lines = aligned([(f"{_SIGNS[step.action]} {step.what}", step.detail) for step in found], indent=0)
    text = "\n".join([*(lines or [nothing]), *(f"warning: {words}" for words in doubts)])
    return Result("plan", data, text=text, status="error" if refused else "ok", errors=tuple(refused))
