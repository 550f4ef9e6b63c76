"""The one place that runs limactl, and all that is known of how it answers.

Its exit codes are 0 or 1, so a failure's meaning lies in the log on stderr. A command that ends may leave processes
behind (the host agent, the network's daemon); output therefore goes to files, never to pipes that they could hold open.
"""

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ohmykube.errors import OhmykubeError
from ohmykube.providers.lima.template import API_PORT, HOST_KEY_LABEL, OWNER_LABEL

FLOOR = (2, 0)
QUICK = 60.0  # seconds for a command that only reads or rewrites small files

_ERRORS = re.compile(r"msg=\"instance `(?P<name>[^`]+)` has errors\" errors=\"?(?P<words>.*?)\"?$", re.MULTILINE)
_VERSION = re.compile(r"(\d+)\.(\d+)")
_UNTOLD = 20  # lines of output that an error carries


@dataclass(frozen=True)
class Instance:
    """A machine as Lima lists it. What it was made with is read back from its own template."""

    name: str
    status: str  # Lima's word: Running, Stopped, Broken, …
    directory: Path
    owner: str  # the cluster that made it; empty: not one of ours
    host_key: str  # `type key`, known before it first booted
    ssh_port: int  # on 127.0.0.1, another one after each start; 0: none yet
    api_port: int  # on 127.0.0.1, forwarded to the API server; 0: not a control plane
    errors: str  # why it is broken


class Job:
    """A limactl under way."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], stdin: str, secrets: Sequence[str]) -> None:
        self._argv = argv
        self._secrets = secrets
        self._output: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - `wait` closes both
        self._log: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        with tempfile.TemporaryFile("w+") as source:
            source.write(stdin)
            source.seek(0)
            # A session of its own: neither Ctrl-C nor a closed terminal may end machines that run. What it writes is
            # for this user alone: a template holds the machine's private host key.
            self._process = subprocess.Popen(
                argv,
                stdin=source,
                stdout=self._output,
                stderr=self._log,
                env=environment,
                start_new_session=True,
                umask=0o077,
            )

    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, timeout: float) -> tuple[str, str]:
        """Its stdout and its log. Raises `lima.failed` with its last words, or `lima.timeout` after `timeout` s."""
        with self._output, self._log:
            try:
                code = self._process.wait(timeout)
            except subprocess.TimeoutExpired as error:
                self._process.kill()
                self._process.wait()
                raise self._error("lima.timeout", f"did not end within {timeout:.0f} s") from error
            if code:
                raise self._error("lima.failed", "failed")
            self._output.seek(0)
            self._log.seek(0)
            return self._output.read(), self._log.read()

    def _error(self, code: str, outcome: str) -> OhmykubeError:
        self._log.seek(0)
        log = self._log.read()
        for secret in self._secrets:
            log = log.replace(secret, "…")
        words = _last_words(log)
        verb = next((word for word in self._argv[1:] if not word.startswith("-") and word != "json"), "")
        return OhmykubeError(
            code,
            f"limactl {verb} {outcome}: {words}" if words else f"limactl {verb} {outcome}",
            context={"command": shlex.join(self._argv), "output": "\n".join(log.splitlines()[-_UNTOLD:])},
        )


class Limactl:
    """limactl on a LIMA_HOME of our own: the user's instances and defaults stay out of it."""

    def __init__(self, executable: Path, lima_home: Path) -> None:
        self.executable = executable
        self.home = lima_home

    def spawn(
        self, arguments: Sequence[str], *, stdin: str = "", secrets: Sequence[str] = (), log: str = "json"
    ) -> Job:
        """Begin a command. `secrets` are struck out of whatever it says."""
        argv = [str(self.executable), "--tty=false", f"--log-format={log}", *arguments]
        environment = {**os.environ, "LIMA_HOME": str(self.home)}
        return Job(argv, environment, stdin, secrets)

    def run(self, *arguments: str, timeout: float = QUICK) -> str:
        """The standard output of a command. Raises `lima.failed` or `lima.timeout`."""
        return self.spawn(arguments).wait(timeout)[0]

    def instances(self, name: str = "") -> list[Instance]:
        """All instances, or the one of this name."""
        if not (self._has(name) if name else self.home.is_dir()):
            return []
        # Asked as text, the log names the errors of an instance; asked as JSON, it leaves them out.
        job = self.spawn(["list", "--format=json", *([name] if name else [])], log="text")
        try:
            output, log = job.wait(QUICK)
        except OhmykubeError:
            if name and not self._has(name):  # deleted in between
                return []
            raise
        errors = {match["name"]: match["words"].strip("[]") for match in _ERRORS.finditer(log)}
        found = [_instance(json.loads(line), errors) for line in output.splitlines() if line]
        return [instance for instance in found if self._has(instance.name)]

    def _has(self, name: str) -> bool:
        """Whether Lima takes the folder for an instance; older ones leave out others, newer ones call them broken."""
        return (self.home / name / "lima.yaml").exists()

    def networks(self) -> dict[str, dict[str, Any]]:
        """The networks of this LIMA_HOME by name: `mode`, `gateway`, `netmask`."""
        if not self.home.is_dir():
            return {}
        found = [json.loads(line) for line in self.run("network", "list", "--json").splitlines() if line]
        return {str(network["name"]): network for network in found}


def at_least(executable: Path, floor: tuple[int, int]) -> bool:
    """Whether it is of that version or newer. A build that does not know its own counts as the newest, as for Lima."""
    try:
        done = subprocess.run(
            [str(executable), "--version"], capture_output=True, text=True, timeout=QUICK, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OhmykubeError("lima.failed", f"{executable} cannot be run: {error}") from error
    found = _VERSION.search(done.stdout)
    return not found or (int(found[1]), int(found[2])) >= floor


def _instance(data: Mapping[str, Any], errors: Mapping[str, str]) -> Instance:
    config = data.get("config") or {}
    labels = config.get("env") or {}
    forwards = config.get("portForwards") or []
    return Instance(
        name=data["name"],
        status=data.get("status", ""),
        directory=Path(data["dir"]),
        owner=labels.get(OWNER_LABEL, ""),
        host_key=labels.get(HOST_KEY_LABEL, ""),
        ssh_port=data.get("sshLocalPort", 0),
        api_port=next((rule["hostPort"] for rule in forwards if rule.get("guestPort") == API_PORT), 0),
        errors=errors.get(data["name"], ""),
    )


def _last_words(log: str) -> str:
    """What the log says was fatal, else the last error, else its last line: not every line is JSON."""
    entries = [_entry(line) for line in log.splitlines() if line.strip()]
    for wanted in ("fatal", "error", ""):
        found = [message for level, message in entries if level == wanted or not wanted]
        if found:
            return found[-1]
    return ""


def _entry(line: str) -> tuple[str, str]:
    try:
        data = json.loads(line)
        return str(data["level"]), str(data["msg"])
    except (ValueError, TypeError, KeyError):
        return "", line
