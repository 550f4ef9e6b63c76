"""doctor: what is wrong with this computer, the cache and a cluster, and what mends it."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import click

from ohmykube import keeping, nodes
from ohmykube.cli.options import Verb
from ohmykube.cli.output import folded
from ohmykube.cli.wiring import Session
from ohmykube.doctor import cache, cluster
from ohmykube.doctor.base import COMPUTER, Finding, from_error, run
from ohmykube.doctor.computer import Computer, Leftover
from ohmykube.doctor.examine import Cure, examine, mend
from ohmykube.doctor.machines import Patient
from ohmykube.errors import OhmykubeError
from ohmykube.model.result import Result
from ohmykube.phases.base import execute
from ohmykube.phases.kubeconfig import WriteKubeconfig
from ohmykube.plans import START
from ohmykube.providers import lookup
from ohmykube.providers.base import Provider, ProviderContext
from ohmykube.store import lock
from ohmykube.store.home import ClusterFolder

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red"), "unknown": ("?", "yellow")}
Look = Callable[[], list[Finding]]


@click.command(
    "doctor",
    cls=Verb,
    epilog="""\b
Examples:
  ohmykube doctor                 this computer, the cache, one cluster
  ohmykube doctor --name dev -v   also what is well
  ohmykube doctor --fix           carries out every remedy that it can
""",
)
@click.option("--fix", is_flag=True, help="Carry out remedies, look again, and show what is left.")
@click.pass_obj
def doctor_command(session: Session, /, fix: bool) -> Result:
    """Find what is wrong with this computer, the cache and a cluster, and what mends it.

    The exit code is 0 where no problem is left, 3 where some are mended and others are not, else 1.
    """
    steps = session.steps("doctor")
    with _examinations(session, alone=fix) as looks, ThreadPoolExecutor(len(looks)) as pool:
        cures = list(pool.map(lambda look: mend(look, steps) if fix else Cure(look()), looks))
    findings = [finding for cure in cures for finding in cure.findings]
    return _result(session, findings, mended=sum(cure.mended for cure in cures))


def findings_of(session: Session) -> list[Finding]:
    """What the verb finds without mending."""
    with _examinations(session, alone=False) as looks, ThreadPoolExecutor(len(looks)) as pool:
        return [finding for found in pool.map(lambda look: look(), looks) for finding in found]


@contextmanager
def _examinations(session: Session, *, alone: bool) -> Iterator[list[Look]]:
    """Of this computer, and of the cluster where there is one. alone: nobody else may change the cluster meanwhile."""
    looks = [_computer(session)]
    folder = _folder(session)
    if folder is None:
        yield looks
    elif alone:
        with session.locked(folder.name, "doctor") as held:
            yield [*looks, partial(_cluster, session, held)]
    else:
        yield [*looks, partial(_busy_cluster, session, folder)]


def _folder(session: Session) -> ClusterFolder | None:
    """Of the cluster meant; None where none was named and there is none. Raises OhmykubeError `cluster.unknown`."""
    if session.settings.name or session.home.cluster(session.name).exists():
        return session.folder()
    return None


def _computer(session: Session) -> Look:
    home = session.home
    computer = Computer(home.path, lookup.choose, partial(_leftovers, session))
    checks = [*computer.checks(), *cache.checks(partial(keeping.folders, home.cache))]
    return partial(run, checks)


def _busy_cluster(session: Session, folder: ClusterFolder) -> list[Finding]:
    """Whoever is at work on it makes and unmakes findings."""
    holder = lock.holder(folder.path / "lock")
    found = _cluster(session, folder)
    if not holder:
        return found
    what = f"{holder} is at work on it; findings may pass"
    return [Finding("cluster.busy", folder.name, "warning", what, "look again when it has ended"), *found]


def _cluster(session: Session, folder: ClusterFolder) -> list[Finding]:
    try:
        context = session.context(session.stored(folder), folder)
    except OhmykubeError as error:
        return from_error(error, COMPUTER)
    state = context.state
    patient = Patient(
        name=folder.name,
        provider=context.provider,
        machines=context.machines,
        recorded={record.name: record.seen.address for record in state.machines if record.seen},
        ready=bool(state.ready),
        ask=nodes.ask,
        resume=lambda: execute(START, context),
    )
    return examine(patient, cluster.Kubeconfig(folder.kubeconfig, lambda: WriteKubeconfig().run(context)))


def _leftovers(session: Session) -> list[Leftover]:
    """Folders and machines of clusters that have no wish; what somebody is at work on is not left."""
    home = session.home
    owners: dict[str, str] = {}
    for name in lookup.names():
        if lookup.owns_machines(name) and not lookup.load(name).unusable():
            owners |= dict.fromkeys(_provider(session, name, home.cluster("none")).clusters(), name)
    folders = {path.name for path in (home.path / "clusters").glob("*/")}
    found = []
    for name in sorted(folders | set(owners)):
        folder = home.cluster(name)
        if not folder.exists() and not lock.holder(folder.path / "lock"):
            provider = _provider(session, owners[name], folder) if name in owners else None
            machines = tuple(machine.name for machine in provider.machines()) if provider else ()
            found.append(Leftover(name, machines, partial(_remove, session, name, provider)))
    return found


def _remove(session: Session, name: str, provider: Provider | None) -> None:
    """The folder goes with the lock: it holds no cluster."""
    with session.locked(name, "doctor") as folder:
        if provider is None or folder.exists():
            return
        for machine in provider.machines():
            provider.delete(machine.name)
        provider.cleanup()


def _provider(session: Session, name: str, folder: ClusterFolder) -> Provider:
    """For machines of a cluster that nobody knows more of than its name."""
    context = ProviderContext(
        cluster=folder.name,
        directory=folder.path,
        home=session.home.path,
        identity_file=folder.identity_file,
        known_hosts=folder.known_hosts,
        offline=True,
    )
    return lookup.make(name, context)


def _result(session: Session, findings: list[Finding], *, mended: int) -> Result:
    problems = [finding for finding in findings if finding.severity == "problem"]
    warnings = [finding for finding in findings if finding.severity == "warning"]
    data = {
        "problems": len(problems),
        "warnings": len(warnings),
        "fixed": mended,
        "findings": [finding.as_data() for finding in findings],
    }
    shown = findings if session.settings.verbose else [each for each in findings if each.severity != "ok" or each.fixed]
    counts = [_count(problems, "problem"), _count(warnings, "warning"), *([f"{mended} mended"] if mended else [])]
    well = sum(finding.severity == "ok" for finding in findings) - mended
    lines = [*map(_line, shown), f"{', '.join(counts)}; {well} looks found all well."]
    if not problems:
        return Result("doctor", data, text="\n".join(lines))
    return Result("doctor", data, text="\n".join(lines), status="partial" if mended else "error")


def _count(findings: list[Finding], word: str) -> str:
    return f"{len(findings)} {word}{'' if len(findings) == 1 else 's'}"


def _line(finding: Finding) -> str:
    mark, color = _MARKS[finding.severity]
    code = "" if finding.severity == "ok" else f"  [{finding.code}]"
    words = folded(f"{mark} {finding.where}: {finding.what}{code}", sys.stdout).removeprefix(mark)
    remedy = f"\n{folded(f'    remedy: {finding.remedy}', sys.stdout, indent=12)}" if finding.remedy else ""
    return f"{click.style(mark, fg=color)}{words}{remedy}"
