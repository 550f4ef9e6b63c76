"""A log of all verbs, for those who want one: `OHMYKUBE_AUDIT_LOG` names the file, one JSON object a line.

A verb writes a line when it begins and one when it ends, so that one which was killed is there too. Nothing is ever
changed in the file or taken out of it. `shell` becomes ssh, so it has no end here.
"""

import getpass
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from ansible_collections.ohmykube.cluster.plugins.module_utils.logins import without_login

from ohmykube.errors import OhmykubeError

VARIABLE = "OHMYKUBE_AUDIT_LOG"
_INTERRUPTED = 130
_RESULTS = {0: "done", 1: "failed", 2: "refused", 3: "partly done", _INTERRUPTED: "interrupted"}
# What runs on a node is the person's own, and may have secrets in it.
_UNTOLD = frozenset({("shell", "command")})


@contextmanager
def logged(ctx: click.Context, verb: str, cluster: str) -> Iterator[Callable[[int], None]]:
    """Log what is done within, where somebody wants it; yields what is to be told the exit code of a verb that ended.

    Raises OhmykubeError `audit.unwritable` before it begins.
    """
    file = os.environ.get(VARIABLE)
    if not file:
        yield lambda _: None
        return
    path, began, codes = Path(file).expanduser(), time.monotonic(), [1]
    who = {"user": getpass.getuser(), "pid": os.getpid(), "verb": verb}
    _write(path, {"event": "begin", **who, "cluster": cluster, "given": _given(ctx, verb)})
    try:
        yield codes.append
    except (OhmykubeError, click.ClickException, click.exceptions.Exit) as error:
        codes.append(error.exit_code)
        raise
    except (click.Abort, KeyboardInterrupt):
        codes.append(_INTERRUPTED)
        raise
    finally:
        seconds = round(time.monotonic() - began, 3)
        with suppress(OhmykubeError):  # that it began is there
            _write(path, {"event": "end", **who, "result": _RESULTS.get(codes[-1], "failed"), "seconds": seconds})


def _given(ctx: click.Context, verb: str) -> dict[str, Any]:
    """Flags and arguments that were typed or are in the environment, without logins of URLs."""
    typed = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    found = {name: value for name, value in ctx.params.items() if ctx.get_parameter_source(name) in typed}
    return {name: "…" if (verb, name) in _UNTOLD else _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if isinstance(value, (bool, int, float)) or value is None else without_login(str(value))


def _write(path: Path, entry: dict[str, Any]) -> None:
    """In one call, so that lines of several verbs never mix."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry}, ensure_ascii=False)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        words = f"the audit log {path} cannot be written: {error.strerror}"
        hint = f"{VARIABLE} names it; no verb is run that would not be in it"
        raise OhmykubeError("audit.unwritable", words, hint=hint, context={"path": path}, exit_code=2) from error
