"""The one place of this provider that runs the computer's tools."""

import shlex
import subprocess
from collections.abc import Sequence

from ohmykube.errors import OhmykubeError

TIMEOUT = 20  # seconds; every tool used here answers at once


def run(argv: Sequence[str], *, timeout: float = TIMEOUT, stdin: str = "") -> str:
    """The standard output of a tool. Raises OhmykubeError `nspawn.command` with its own words."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise _failed(argv, f"no answer within {timeout:.0f} s") from error
    except OSError as error:
        raise _failed(argv, str(error)) from error
    if done.returncode:
        raise _failed(argv, done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")
    return done.stdout


def succeeds(argv: Sequence[str]) -> bool:
    """Whether a tool is there and ends well; its words do not matter."""
    try:
        return subprocess.run(argv, capture_output=True, timeout=TIMEOUT, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _failed(argv: Sequence[str], words: str) -> OhmykubeError:
    return OhmykubeError(
        "nspawn.command",
        f"{argv[0]} failed: {words}",
        hint=f"to see it again: {shlex.join(argv)}",
        context={"command": shlex.join(argv), "output": words},
    )
