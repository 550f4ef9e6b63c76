# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The machine a module runs on: its root folder and how commands run there, both to be replaced in tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

NOT_FOUND = 127


@dataclass(frozen=True)
class Completed:
    """A command that has ended. code: its exit status, 127 if there is no such program, as in a shell."""

    code: int
    stdout: str = ""
    stderr: str = ""


# argv, time limit in seconds
Run = Callable[[Sequence[str], float], Completed]


def run_command(argv: Sequence[str], timeout: float) -> Completed:
    """Run a command with untranslated output; OhmykubeError when it outlives its time limit."""
    try:
        done = subprocess.run(
            list(argv),
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": ""},
        )
    except FileNotFoundError:
        return Completed(NOT_FOUND, stderr=f"{argv[0]}: not found")
    except subprocess.TimeoutExpired as error:
        raise OhmykubeError(
            "command.timeout",
            f"{in_short(argv)} did not end within {timeout:g} s",
            hint="run the command on the node by hand to see what it waits for",
            context={"command": " ".join(argv)},
        ) from error
    return Completed(done.returncode, done.stdout, done.stderr)


def in_short(argv: Sequence[str]) -> str:
    """The program and its verb: `kubeadm join`, without what it is run by (env) and its options."""
    program, *rest = [word for word in argv if word != "env" and "=" not in word and not word.startswith("-")]
    verb = rest[0] if rest and rest[0].isalpha() else ""
    return f"{Path(program).name} {verb}".strip()


@dataclass(frozen=True)
class Host:
    """root: what paths are relative to. release: of the kernel, as uname -r says it."""

    root: Path = Path("/")
    run: Run = run_command
    release: str = field(default_factory=lambda: os.uname().release)

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def read(self, absolute: str) -> str | None:
        """The text of a file, None if there is none."""
        try:
            return self.path(absolute).read_text(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def command(self, argv: Sequence[str], timeout: float = 60) -> str:
        """The output of a command that must succeed."""
        done = self.run(argv, timeout)
        if done.code:
            output = (done.stderr or done.stdout).strip()
            last = output.splitlines()[-1] if output else "no output"
            raise OhmykubeError(
                "command.failed",
                f"{in_short(argv)} failed with status {done.code}: {last}",
                context={"command": " ".join(argv), "output": output},
            )
        return done.stdout
