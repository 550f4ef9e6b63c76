"""report: what a verb did, as one HTML page."""

import webbrowser
from datetime import UTC, datetime
from pathlib import Path

import click

from ohmykube.cli import complete
from ohmykube.cli.options import Verb
from ohmykube.cli.recording import PAGE, run_of
from ohmykube.cli.wiring import Session
from ohmykube.errors import OhmykubeError
from ohmykube.model.document import nearest
from ohmykube.model.result import Result
from ohmykube.report import page
from ohmykube.report.compare import Comparison, compare
from ohmykube.report.record import FILE
from ohmykube.report.run import Run
from ohmykube.store import atomic

_PREVIOUS = "previous"
_LONGEST = 5  # tasks that the text names


@click.command(
    "report",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube report --open                    the last run, in the browser
  ohmykube report up                        the last `up`
  ohmykube report --list                    all runs that are kept
  ohmykube report 20261126T0815 --to up.html
  ohmykube report up --compare previous     and what the `up` before it took
""",
)
@click.argument("run", required=False, shell_complete=complete.runs)
@click.option("--list", "listed", is_flag=True, help="Show all runs instead.")
@click.option(
    "--compare",
    "other",
    metavar="RUN",
    shell_complete=complete.runs,
    help="Show beside it what another run took; `previous` is the one of the same verb before it.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Where to write it.  [default: {PAGE} in the run's folder]",
)
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@click.pass_obj
def report_command(
    session: Session, /, run: str | None, listed: bool, other: str | None, target: Path | None, opened: bool
) -> Result:
    """Show what a verb did, and where its time went: one HTML page that needs nothing else.

    RUN is the name of a run, how it begins, or a verb, for the last run of it; without it, the last run of all.
    """
    folder = session.folder()
    folders = {path.name: path for path in folder.runs(FILE)}
    if listed:
        return _list([run_of(path) for path in folders.values()])
    shown = run_of(folders[_chosen(list(folders), run)])
    beside = None
    if other:
        beside = compare(shown, run_of(folders[_other(list(folders), shown.name, other)]))
    path = target or folders[shown.name] / PAGE
    _write(path, page.render(shown, beside))
    if opened and not webbrowser.open(path.absolute().as_uri()):
        raise OhmykubeError("report.no-browser", f"no browser could be started for {path}", hint="open it yourself")
    data = {"file": str(path), **shown.summary(), "compared": beside.as_data() if beside else None}
    return Result("report", data, text=_text(shown, beside, path))


def _list(runs: list[Run]) -> Result:
    rows = [
        {
            "run": run.name,
            "verb": run.verb,
            "started": datetime.fromtimestamp(run.started, UTC).isoformat(timespec="seconds"),
            "seconds": round(run.seconds, 3),
            "outcome": run.outcome,
        }
        for run in runs
    ]
    return Result("report", rows, columns=("run", "started", "seconds", "outcome"))


def _chosen(names: list[str], wanted: str | None) -> str:
    """The run that is meant. Raises OhmykubeError `report.unknown`, `report.ambiguous`."""
    if not names:
        raise OhmykubeError("report.none", "no run of this cluster is recorded", hint="verbs that change it record one")
    if not wanted:
        return names[-1]
    if of_verb := [name for name in names if _verb(name) == wanted]:
        return of_verb[-1]
    found = [name for name in names if name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        words = f"{len(found)} runs begin with {wanted!r}"
        raise OhmykubeError("report.ambiguous", words, hint=f"the last one is {found[-1]}", exit_code=2)
    known = [*names, *sorted({_verb(name) for name in names})]
    raise OhmykubeError("report.unknown", f"there is no run {wanted!r}", hint=nearest(wanted, known), exit_code=2)


def _other(names: list[str], shown: str, wanted: str) -> str:
    if wanted != _PREVIOUS:
        return _chosen(names, wanted)
    before = [name for name in names if _verb(name) == _verb(shown) and name < shown]
    if not before:
        words = f"no `{_verb(shown)}` before {shown} is recorded"
        raise OhmykubeError("report.none", words, hint="`ohmykube report --list` shows all runs")
    return before[-1]


def _verb(name: str) -> str:
    return name.partition("-")[2]


def _write(path: Path, text: str) -> None:
    try:
        atomic.write(path, text)
    except OSError as error:
        words = f"{path} cannot be written: {error.strerror}"
        raise OhmykubeError("file.unwritable", words, hint="name another file with --to", exit_code=2) from error


def _text(run: Run, comparison: Comparison | None, path: Path) -> str:
    """The page in a few lines: what the run waited for, longest first."""
    lines = [f"{run.verb} {run.cluster}: {run.outcome}, {page.seconds(run.seconds)}"]
    if comparison:
        words = "slower" if comparison.total.more > 0 else "faster"
        lines[0] += f"; {page.seconds(abs(comparison.total.more))} {words} than {comparison.other.name}"
    lines += [
        f"  {page.seconds(share.seconds):>9}  {share.name}{f'  ({share.where})' if share.where else ''}"
        for share in page.shares(run)[:_LONGEST]
    ]
    return "\n".join([*lines, str(path)])
