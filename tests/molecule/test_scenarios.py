"""Every molecule scenario of the collection: create, converge, converge again without a change, verify, destroy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COLLECTION = Path(__file__).parents[2] / "collections/ansible_collections/ohmykube/cluster"
TIMEOUT = 900  # seconds for a scenario


def _scenarios() -> list[object]:
    """One parameter a scenario; those that ask for the bundle by its variable need it."""
    return [
        pytest.param(
            file.parent.name,
            marks=pytest.mark.cluster if "OHMYKUBE_TEST_BUNDLE" in file.read_text() else pytest.mark.hosts,
        )
        for file in sorted(COLLECTION.glob("extensions/molecule/*/molecule.yml"))
    ]


@pytest.mark.parametrize("scenario", _scenarios())
def test_scenario(scenario: str) -> None:
    done = _molecule("test", scenario)
    if done.returncode:  # it destroys what it made, unless it was stopped
        _molecule("destroy", scenario)
    assert done.returncode == 0, done.stdout


def _molecule(verb: str, scenario: str) -> subprocess.CompletedProcess[str]:
    # timeout(1) ends molecule's children too.
    return subprocess.run(
        ["timeout", "--kill-after=30", str(TIMEOUT), "molecule", verb, "--scenario-name", scenario],
        cwd=COLLECTION,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT + 60,
        check=False,
    )
