"""The whole examination of a cluster, and how it is mended: look, carry remedies out, look again."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ohmykube.doctor import cluster, machines, nodes
from ohmykube.doctor.base import COMPUTER, Check, Finding, Key, run, unknown
from ohmykube.doctor.machines import Patient
from ohmykube.errors import OhmykubeError
from ohmykube.model.machines import Machine

SETTLE = 120.0  # seconds that machines and pods get to come back
_POLL = 1.0  # seconds between two looks meanwhile
ALL_UNKNOWN = "machines"  # the code of a finding that hides all others of the cluster


def examine(patient: Patient, kubeconfig: cluster.Kubeconfig) -> list[Finding]:
    """Everything about one cluster: what one look finds decides what the next can be taken at."""
    seen: list[Machine] = []

    def look() -> Iterable[Finding]:
        seen.extend(patient.provider.machines())
        return machines.judge(patient, seen)

    found = run(
        [
            Check("provider", COMPUTER, lambda: machines.provider(patient)),
            Check("machine", patient.name, look),
        ]
    )
    if not seen:
        return [*found, unknown(ALL_UNKNOWN, patient.name, "no machine was found, so no node could be asked")]
    visits = nodes.visit(patient, machines.running(patient, seen))
    for visit in visits:
        found += nodes.judge(patient, visit)
    found += cluster.judge(patient, visits, seen)
    return [*found, *kubeconfig.judge()] if patient.ready else found


@dataclass(frozen=True)
class Cure:
    """findings: as they are now, with those that were mended. mended: how many of them were."""

    findings: list[Finding]
    mended: int = 0


def mend(look: Callable[[], list[Finding]], step: Callable[[str], None], *, settle: float = SETTLE) -> Cure:
    """Carry out each remedy once, and look again, until nothing is left to try that time alone would mend.

    step: told what is being done. settle: seconds after a remedy for machines and pods to come back.
    """
    tried: dict[Key, Finding] = {}
    refused: dict[Key, str] = {}
    deadline = 0.0
    while True:
        findings = look()
        due = [finding for finding in findings if finding.fix and finding.key not in tried]
        if due:
            tried |= {finding.key: finding for finding in due}
            refused |= _carry_out(due, step)
            deadline = time.monotonic() + settle
        elif time.monotonic() < deadline and _may_pass(findings):
            time.sleep(_POLL)
        else:
            break
    mended = [finding for finding in tried.values() if _is_gone(finding, findings)]
    told = [_told(finding, refused.get(finding.key, "")) for finding in findings]
    return Cure([*map(_fixed, mended), *told], len(mended))


def _carry_out(due: Sequence[Finding], step: Callable[[str], None]) -> dict[Key, str]:
    """In their order; one remedy may be that of several findings. What failed, and why."""
    remedies: dict[Callable[[], object], list[Finding]] = {}
    for finding in due:
        if finding.fix:
            remedies.setdefault(finding.fix, []).append(finding)
    refused: dict[Key, str] = {}
    for fix, causes in remedies.items():
        for finding in causes:
            step(f"{finding.where}: {finding.what}")
        try:
            fix()
        except OhmykubeError as error:
            refused |= {finding.key: error.message for finding in causes}
    return refused


def _is_gone(finding: Finding, findings: Sequence[Finding]) -> bool:
    """It is not gone where it could not be looked at any more."""
    hidden = [each for each in findings if each.severity == "unknown"]
    if any(each.where == finding.where or each.code == ALL_UNKNOWN for each in hidden):
        return False
    return finding.key not in {each.key for each in findings if each.severity != "ok"}


def _may_pass(findings: Sequence[Finding]) -> bool:
    return any(finding.passing and finding.severity == "problem" for finding in findings)


def _fixed(finding: Finding) -> Finding:
    return replace(finding, severity="ok", what=f"mended: {finding.what}", remedy="", fix=None, fixed=True)


def _told(finding: Finding, refused: str) -> Finding:
    return replace(finding, what=f"{finding.what}; its remedy failed: {refused}") if refused else finding
