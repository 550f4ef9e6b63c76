# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A service: its files and its systemd units, planned together.

What was written is remembered on the node, so that a file which is no longer wanted goes away, and the whole service
with it when it is to be absent; a service that is not remembered was never ours and is left alone.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import Change, plan_file, write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.systemd import Systemd, UnitState

RECORDS = "/var/lib/ohmykube/services"
UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/local/lib/systemd/system/")
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class File:
    """restart: a changed content needs a restart of the units; false where the service reads it anew itself."""

    path: str
    content: str
    mode: int = 0o644
    secret: bool = False
    restart: bool = True


@dataclass(frozen=True)
class Service:
    """started: false leaves starting to somebody else; a unit that runs is restarted all the same."""

    name: str
    units: tuple[str, ...]
    files: tuple[File, ...] = ()
    started: bool = True


@dataclass(frozen=True)
class Record:
    """What is ours on the node. folders: those that did not exist before us."""

    units: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @staticmethod
    def path(name: str) -> str:
        return f"{RECORDS}/{name}.json"

    @classmethod
    def read(cls, host: Host, name: str) -> Record:
        text = host.read(cls.path(name))
        return cls(**{key: tuple(values) for key, values in json.loads(text).items()}) if text else cls()

    def write(self, host: Host, name: str) -> None:
        text = json.dumps({"units": self.units, "files": self.files, "folders": self.folders}, indent=1) + "\n"
        write_atomic(host.path(self.path(name)), text.encode(), 0o644)


@dataclass(frozen=True)
class Plan:
    """first: written down before the changes, so that a run that dies leaves nothing unknown. last: afterwards."""

    changes: list[Change]
    first: Record = field(default_factory=Record)
    last: Record = field(default_factory=Record)


def plan(host: Host, systemd: Systemd, service: Service) -> Plan:
    record = Record.read(host, service.name)
    states = systemd.show(service.units)
    by_path = {file.path: _plan(host, file) for file in service.files}
    stale = [path for path in record.files if path not in by_path]

    changes = [change for change in by_path.values() if change]
    changes += [change for path in stale if (change := plan_file(host, path, None))]
    changed = [path for path, change in by_path.items() if change] + stale
    reload = any(path.startswith(UNIT_FOLDERS) for path in changed) or any(state.needs_reload for state in states)
    if reload:
        changes.append(Change("systemd reloaded", "", "daemon-reload\n", lambda: systemd.call("daemon-reload")))
    restart = bool(stale) or any(by_path[file.path] for file in service.files if file.restart)
    for state in states:
        changes += _plan_unit(host, systemd, state, restart=restart, started=service.started)

    files = tuple(by_path)
    folders = tuple(dict.fromkeys((*record.folders, *_new_folders(host, files))))
    kept = tuple(folder for folder in folders if any(path.startswith(f"{folder}/") for path in files))
    changes += [_rmdir(host, folder) for folder in _deepest_first(folders) if folder not in kept]
    return Plan(
        changes,
        Record(service.units, (*files, *stale), folders),
        Record(service.units, files, kept),
    )


def plan_absent(host: Host, systemd: Systemd, name: str) -> Plan:
    record = Record.read(host, name)
    if record == Record():
        return Plan([])
    changes = [_stop(systemd, state) for state in systemd.show(record.units)]
    changes += [change for path in record.files if (change := plan_file(host, path, None))]
    changes.append(Change("systemd reloaded", "", "daemon-reload\n", lambda: systemd.call("daemon-reload")))
    changes += [_rmdir(host, folder) for folder in _deepest_first(record.folders)]
    return Plan(changes, record)


def apply(host: Host, name: str, wanted: Plan) -> None:
    known = Record.read(host, name)
    if wanted.first != known:
        wanted.first.write(host, name)
    for change in wanted.changes:
        change.apply()
    if wanted.last == Record():
        host.path(Record.path(name)).unlink(missing_ok=True)
        with suppress(OSError):  # other services are remembered there, or no service ever was
            host.path(RECORDS).rmdir()
    elif wanted.last != wanted.first:
        wanted.last.write(host, name)


def wait_ready(host: Host, systemd: Systemd, service: Service, ready_socket: str, seconds: float) -> None:
    """Until all units are active and the socket, if one is named, accepts; OhmykubeError with the unit's last words."""
    deadline = time.monotonic() + seconds
    while True:
        waiting = [state for state in systemd.show(service.units) if state.active != "active"]
        failed = [state for state in waiting if state.active == "failed"]
        if failed:
            raise systemd.failure(failed[0].name, "has failed")
        if not waiting and (not ready_socket or _accepts(host, ready_socket)):
            return
        if time.monotonic() > deadline:
            if waiting:
                raise systemd.failure(waiting[0].name, f"is {waiting[0].active} and not active after {seconds:g} s")
            raise systemd.failure(service.units[0], f"does not answer on {ready_socket} after {seconds:g} s")
        time.sleep(_POLL_SECONDS)


def _plan(host: Host, file: File) -> Change | None:
    return plan_file(host, file.path, file.content, mode=file.mode, secret=file.secret)


def _plan_unit(host: Host, systemd: Systemd, state: UnitState, *, restart: bool, started: bool) -> list[Change]:
    changes = []
    if not state.enabled:
        changes.append(_call(systemd, "enable", state, f"{state.file or 'absent'}\n", "enabled\n"))
    if state.active in ("active", "reloading", "activating"):
        if restart or _binary_replaced(host, state):
            changes.append(_call(systemd, "restart", state, "", "restarted\n"))
    elif started:
        changes.append(_call(systemd, "start", state, f"{state.active}\n", "active\n"))
    return changes


def _call(systemd: Systemd, verb: str, state: UnitState, before: str, after: str) -> Change:
    def act() -> None:
        if state.active == "failed":
            # A unit that failed too often is refused another start for a while.
            systemd.call("reset-failed", state.name)
        try:
            systemd.call(verb, state.name)
        except OhmykubeError as error:
            output = error.context.get("output") or error.message
            raise systemd.failure(state.name, f"could not {verb}: {output}") from error

    return Change(f"{state.name} {verb}", before, after, act)


def _stop(systemd: Systemd, state: UnitState) -> Change:
    def stop() -> None:
        systemd.call("disable", "--now", state.name)
        if state.active == "failed":
            systemd.call("reset-failed", state.name)

    return Change(f"{state.name} stopped and disabled", f"{state.active}\n", "", stop)


def _binary_replaced(host: Host, state: UnitState) -> bool:
    """Whether the main process still runs the binary from before an upgrade: its file is gone then."""
    try:
        return bool(state.pid) and str(host.path(f"/proc/{state.pid}/exe").readlink()).endswith(" (deleted)")
    except OSError:
        return False


def _accepts(host: Host, path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(str(host.path(path)))
        except OSError:
            return False
    return True


def _new_folders(host: Host, files: Sequence[str]) -> list[str]:
    """Folders that writing these files will make, without /."""
    parents = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    return sorted(parent for parent in parents if not host.path(parent).exists())


def _deepest_first(folders: Sequence[str]) -> list[str]:
    return sorted(folders, key=lambda folder: folder.count("/"), reverse=True)


def _rmdir(host: Host, folder: str) -> Change:
    def remove() -> None:
        try:
            host.path(folder).rmdir()
        except OSError:
            # Gone, or somebody else has put something there: theirs.
            return

    return Change(f"{folder} removed if empty", f"{folder}\n", "", remove)
