"""The only import of ansible_runner."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohmykube import COLLECTIONS, sockets
from ohmykube.errors import OhmykubeError, raise_all
from ohmykube.store.home import ClusterFolder

_RUN_LIMIT = 3600  # seconds for a whole playbook
_IDLE_LIMIT = 900  # seconds without a word: every task of the collection, but users' hooks, is bounded well below this
_SIGNAL_LIMIT = 1  # seconds until Ctrl-C is noticed
_END_LIMIT = 2  # seconds for Ansible to end its tasks and itself

# A user's own ansible.cfg must not change how clusters are made; this one lies in each run's folder, to rerun by hand.
# A task is not tried again by itself: a process of an interrupted run would do it beside the next run.
# Asking each millisecond whether a task has ended, as Ansible does by itself, takes a twentieth of a small computer.
_CONFIG = """\
[defaults]
gathering = explicit
host_key_checking = True
forks = {forks}
collections_path = {collections}
retry_files_enabled = False
internal_poll_interval = 0.005
callback_result_format = yaml
interpreter_python = auto_silent
any_errors_fatal = False

[inventory]
enable_plugins = ohmykube.cluster.ohmykube
any_unparsed_is_failed = True

[connection]
pipelining = True

[ssh_connection]
control_path = %(directory)s/%%C
control_path_dir = {sockets}
ssh_args = -F /dev/null -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=5 -o ServerAliveCountMax=3
retries = 0
timeout = 10
"""


@dataclass(frozen=True)
class AnsiblePlaybooks:
    """Runs playbooks of the collection for one cluster. Each run keeps its log and artifacts in a folder of its own.

    hook_seconds: that users' hooks may take beside all else.
    """

    folder: ClusterFolder
    home: Path
    offline: bool
    allow_unverified: bool
    forks: int
    hook_seconds: int = 0

    def run(
        self,
        playbook: str,
        on_step: Callable[[str, str], None],
        *,
        on_end: Callable[[str, str, str, float], None] | None = None,
        variables: Mapping[str, Any] | None = None,
        limit: Sequence[str] = (),
        stop: Callable[[], OhmykubeError | None] = lambda: None,
        before: Future[None] | None = None,
    ) -> int:
        """See `ohmykube.phases.base.Playbooks`. Nothing secret is passed: runner writes all it is given to disk."""
        import ansible_runner

        folder = self.folder.new_run(playbook)
        listener = _Listener(on_step, on_end, folder)
        with _signals() as interrupted:
            end = _End(lambda: _reason(interrupted, before, stop, folder), listener)
            self._prepare(folder, before)
            result = ansible_runner.run(
                private_data_dir=str(folder),
                playbook=str(COLLECTIONS / "ansible_collections/ohmykube/cluster/playbooks" / f"{playbook}.yml"),
                inventory=str(folder / "ohmykube.yml"),
                extravars=dict(variables or {}) or None,
                limit=",".join(limit) or None,
                envvars=self._environment(folder),
                settings={
                    "job_timeout": _RUN_LIMIT + self.hook_seconds,
                    "idle_timeout": _IDLE_LIMIT + self.hook_seconds,
                    "pexpect_timeout": _SIGNAL_LIMIT,
                    "suppress_env_files": True,
                },
                event_handler=listener,
                cancel_callback=end,
                quiet=True,
            )
        if end.reason:
            raise end.reason
        raise_all(listener.errors)
        if result.status != "successful":
            raise OhmykubeError(
                "playbook.failed",
                f"ansible-playbook {playbook} ended as {result.status}",
                hint="mend the cause and run the same command again",
                context={"log": folder, "output": _tail(folder)},
            )
        return sum((result.stats or {}).get("changed", {}).values())

    def _prepare(self, folder: Path, before: Future[None] | None) -> None:
        control = sockets.place(self.folder.path)
        config = _CONFIG.format(forks=self.forks, collections=COLLECTIONS, sockets=control)
        (folder / "ansible.cfg").write_text(config)
        inventory = f"plugin: ohmykube.cluster.ohmykube\nname: {self.folder.name}\nhome: {self.home}\n"
        inventory += f"started_by: {os.getpid()}\n"
        if before:
            ready = folder / "ready"
            inventory += f"wait_for: {ready}\n"
            before.add_done_callback(lambda done: None if done.exception() else ready.touch())
        (folder / "ohmykube.yml").write_text(inventory)

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "OHMYKUBE_HOME": str(self.home),
            "OHMYKUBE_OFFLINE": "1" if self.offline else "",
            "OHMYKUBE_ALLOW_UNVERIFIED": "1" if self.allow_unverified else "",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }


def _reason(
    interrupted: Callable[[], bool],
    before: Future[None] | None,
    stop: Callable[[], OhmykubeError | None],
    folder: Path,
) -> BaseException | None:
    """Why a playbook has to end before its end, if it has to."""
    if interrupted():
        return KeyboardInterrupt()
    if vain := before.exception() if before and before.done() else None:
        return vain
    error = stop()
    if error:
        error.context.setdefault("log", str(folder))
    return error


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Runner's handlers, which end a playbook at Ctrl-C; it would leave them behind, where nobody asks them.

    Yields whether a signal has come. Only the main thread can have them.
    """
    from ansible_runner.utils import signal_handler

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupted = signal_handler()
    try:
        yield interrupted or (lambda: False)
    finally:
        for number, handler in before.items() if interrupted else ():
            signal.signal(number, handler)


@dataclass
class _End:
    """Runner's question, each second, whether to kill Ansible.

    That would leave the processes that do tasks, in sessions of their own: Ansible is told first, and ends them.
    """

    ask: Callable[[], BaseException | None]
    listener: "_Listener"
    reason: BaseException | None = None
    since: float = 0.0  # when there was a reason first

    def __call__(self) -> bool:
        if self.reason is None and (reason := self.ask()):
            self.reason, self.since = reason, time.monotonic()
            if self.listener.ansible:
                with suppress(ProcessLookupError):
                    os.kill(self.listener.ansible, signal.SIGTERM)
        late = not self.listener.ansible or time.monotonic() - self.since > _END_LIMIT
        return self.reason is not None and late


class _Listener:
    """Turns runner's events into steps, and failures into errors with the task's own words."""

    def __init__(
        self,
        on_step: Callable[[str, str], None],
        on_end: Callable[[str, str, str, float], None] | None,
        folder: Path,
    ) -> None:
        self.on_step = on_step
        self.on_end = on_end
        self.folder = folder
        self.errors: list[OhmykubeError] = []
        self.ansible = 0  # its process, once it has begun; before that it has no others

    def __call__(self, event: dict[str, Any]) -> bool:
        data = event.get("event_data", {})
        kind = event["event"]
        if kind == "playbook_on_start":
            self.ansible = event["pid"]
        if kind == "runner_on_start":
            self.on_step(data.get("host", ""), data.get("task", ""))
        elif self.on_end and (status := _status(kind, data)):
            self.on_end(data.get("host", ""), data.get("task", ""), status, float(data.get("duration") or 0))
        if kind == "runner_on_unreachable" or (kind == "runner_on_failed" and not data.get("ignore_errors")):
            self.errors.append(self._error(data, unreachable=kind == "runner_on_unreachable"))
        return True

    def _error(self, data: dict[str, Any], *, unreachable: bool) -> OhmykubeError:
        result = data.get("res") or {}
        node, task = data.get("host", "?"), data.get("task", "?")
        error = result.get("error")
        details: dict[str, Any] = error if isinstance(error, dict) else {}
        words = str(details.get("message") or result.get("msg") or "it failed without a word").strip()
        output = result.get("stderr") or result.get("module_stderr") or result.get("stdout") or ""
        context: dict[str, object] = {"node": node, "task": task, "log": self.folder, "output": str(output)[-4000:]}
        if isinstance(details.get("context"), dict):
            context.update(details["context"])
        return OhmykubeError(
            "node.unreachable" if unreachable else str(details.get("code") or "task.failed"),
            f"{node}: {task}: {words}",
            hint=str(
                details.get("hint") or f"mend the cause and run the same command again; log: {self.folder}/artifacts"
            ),
            context=context,
        )


def _status(kind: str, data: Mapping[str, Any]) -> str:
    """How a task ended on a node; empty for events that are no end."""
    if kind == "runner_on_ok":
        return "changed" if (data.get("res") or {}).get("changed") else "ok"
    if kind == "runner_on_failed" and data.get("ignore_errors"):
        return "ok"
    return {"runner_on_skipped": "skipped", "runner_on_failed": "failed", "runner_on_unreachable": "unreachable"}.get(
        kind, ""
    )


def _tail(folder: Path) -> str:
    """The last words of ansible-playbook, where no task failed but the run did."""
    logs = sorted(folder.glob("artifacts/*/stdout"))
    return logs[-1].read_text(errors="replace")[-2000:] if logs else ""
