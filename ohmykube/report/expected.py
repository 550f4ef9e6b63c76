"""How long phases took before, and so how long they may take now.

Kept in the home rather than read from records: it outlives `down`, holds for all clusters and costs one small file.
"""

import json
import statistics
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ohmykube.report.run import Run
from ohmykube.store import atomic

FILE = "durations.json"
_KEPT = 9  # of each phase: the last ones, for computers and mirrors change


def read(path: Path, verb: str) -> dict[str, float]:
    """Phase: the median of its seconds in the last runs of the verb."""
    return {title: statistics.median(seconds) for title, seconds in _read(path).get(verb, {}).items() if seconds}


def learn(path: Path, run: Run) -> None:
    """Add a run that went well; nothing of this may fail a verb."""
    known = _read(path)
    phases = known.setdefault(run.verb, {})
    for phase in run.phases:
        if phase.status == "done":
            phases[phase.name] = [*phases.get(phase.name, []), round(phase.seconds, 3)][-_KEPT:]
    with suppress(OSError):
        atomic.write(path, json.dumps(known) + "\n")


def _read(path: Path) -> dict[str, dict[str, list[float]]]:
    """Whatever else somebody wrote there is no news."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return {verb: _numbers(phases) for verb, phases in _mapping(data).items()}


def _numbers(phases: Any) -> dict[str, list[float]]:
    found = {title: seconds for title, seconds in _mapping(phases).items() if isinstance(seconds, list)}
    return {title: [each for each in seconds if type(each) in (int, float)] for title, seconds in found.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
