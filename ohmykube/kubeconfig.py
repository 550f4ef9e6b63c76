"""kubeconfig files: the cluster's own, and a context of it in the user's."""

import base64
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.health.certificates import not_after

from ohmykube.errors import OhmykubeError
from ohmykube.store import atomic

_LISTS = ("clusters", "users", "contexts")


def of_user() -> Path:
    """The file that the person's kubectl reads: the first of $KUBECONFIG, else ~/.kube/config."""
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named) if named else Path.home() / ".kube" / "config"


def localise(admin: str, cluster: str, api: str) -> str:
    """kubeadm's admin.conf as this computer needs it: all named after the cluster, the API at `api` (host:port)."""
    config = yaml.safe_load(admin)
    entry, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {**entry, "server": f"https://{api}"}}],
        "users": [{"name": cluster, "user": user}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    }
    return yaml.safe_dump(made, sort_keys=False)


def reads(path: Path) -> tuple[str, float]:
    """Of a cluster's own file: where its API server is, and when its certificate ends, in seconds since the epoch.

    Raises FileNotFoundError, or ValueError where it is damaged.
    """
    try:
        config = yaml.safe_load(path.read_text())
        server, user = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]
        return str(server), not_after(base64.b64decode(user["client-certificate-data"]).decode())
    except (LookupError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is damaged") from error


def add_context(path: Path, text: str) -> bool:
    """Merge a cluster's kubeconfig into the user's file and make it current; whether the file changed.

    A file that is no kubeconfig is left alone: OhmykubeError `kubeconfig.unreadable`.
    """
    ours = yaml.safe_load(text)
    with _locked(path):
        old = _read(path)
        new = _without(old, ours["current-context"])
        for key in _LISTS:
            new[key] = [*(new.get(key) or []), *ours[key]]
        new["current-context"] = ours["current-context"]
        return _write(path, old, new)


def remove_context(path: Path, cluster: str) -> bool:
    """Take a cluster's entries out of the user's file again; whether the file changed."""
    if not path.exists():
        return False
    with _locked(path):
        old = _read(path)
        new = _without(old, cluster)
        if new.get("current-context") == cluster:
            new["current-context"] = ""
        return _write(path, old, new)


def choose_context(path: Path, cluster: str) -> bool:
    """Make a cluster's context the current one in the user's file; whether the file has it."""
    if not path.exists():
        return False
    with _locked(path):
        old = _read(path)
        there = any(item.get("name") == cluster for item in old.get("contexts") or [])
        if there:
            _write(path, old, {**old, "current-context": cluster})
        return there


def _without(config: dict[str, Any], cluster: str) -> dict[str, Any]:
    kept = {key: [item for item in config.get(key) or [] if item.get("name") != cluster] for key in _LISTS}
    return {**config, **kept}


def _read(path: Path) -> dict[str, Any]:
    empty: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    if not path.exists():
        return empty
    try:
        config = yaml.safe_load(path.read_text()) or empty
        if config["kind"] == "Config" and all(
            isinstance(item, dict) for key in _LISTS for item in config.get(key) or []
        ):
            return dict(config)
        reason = "it is no kubeconfig"
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        reason = str(error)
    raise OhmykubeError(
        "kubeconfig.unreadable",
        f"{path} cannot be merged into: {reason}",
        hint="mend or move it, or leave --download-kubeconfig out; `ohmykube kubeconfig` prints the cluster's own",
        context={"path": path},
    )


def _write(path: Path, old: dict[str, Any], new: dict[str, Any]) -> bool:
    same = {key: value for key, value in old.items() if value} == {key: value for key, value in new.items() if value}
    if same:
        return False
    if path.exists():
        atomic.write(path.with_name(f"{path.name}.before-ohmykube"), path.read_text())
    atomic.write(path.resolve(), yaml.safe_dump(new, sort_keys=False))
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Several clusters may come up at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.ohmykube-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
