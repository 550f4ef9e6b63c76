# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Containers that outlived their kubelet and containerd, the cgroups of pods, and a kubeadm that somebody left alone.

A machine may hold whole nodes of somebody else's in containers. Their processes are seen here too, so a shim counts
only in this PID namespace, and a pod's cgroup only at the root of the hierarchy.
"""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_SOCKET = "/run/containerd/containerd.sock"
_PODS = "k8s.io"  # containerd's namespace of the kubelet's containers
_CGROUPS = ("kubepods", "kubepods.slice")
_TIMEOUT = 15  # seconds until what was killed must be gone
_POLL = 0.1  # seconds


def installers(host: Host) -> list[str]:
    """kubeadm that is still at work, for a controller that is gone: it would go on while the node is taken apart."""
    here = _namespace(host.path("/proc/self"), "pid")
    found = []
    for process in sorted(host.path("/proc").glob("[0-9]*")):
        with suppress(OSError):
            words = (process / "cmdline").read_text(errors="replace").split("\0")
            if Path(words[0]).name == "kubeadm" and _namespace(process, "pid") == here:
                found.append(f"{process.name} {' '.join(words[:2])}")
    return found


def end_installers(host: Host) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while (left := installers(host)) and time.monotonic() < deadline:
        host.run(["kill", "-KILL", *(line.split()[0] for line in left)], 30)
        time.sleep(_POLL)


def find(host: Host, every: bool) -> list[str]:
    """Processes of pods, and the shims that hold them: `pid name`. every: of all of containerd's containers."""
    return [f"{pid} {name}" for pid, name in containers(host, every).items()]


def kill(host: Host, every: bool) -> None:
    """Kill them, and wait until they are gone: they hold mounts and interfaces."""
    deadline = time.monotonic() + _TIMEOUT
    while pids := containers(host, every):
        if time.monotonic() > deadline:
            raise OhmykubeError(
                "reset.processes",
                f"processes of containers do not end: {', '.join(find(host, every))}",
                hint="they may wait for a disk or a network share; reboot the machine, then run this again",
            )
        host.run(["kill", "-KILL", *pids], 30)
        time.sleep(_POLL)


def containers(host: Host, every: bool) -> dict[str, str]:
    """Names by PID: shims, what they have started, and what is in the cgroups of pods."""
    names: dict[str, str] = {}
    parents: dict[str, str] = {}
    roots: set[str] = set()
    here = _namespace(host.path("/proc/self"), "pid")
    for process in sorted(host.path("/proc").glob("[0-9]*")):
        try:
            words = (process / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            groups = (process / "cgroup").read_text().splitlines()
            parents[process.name] = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        except OSError:  # it has just ended
            continue
        if not words[0]:  # of the kernel, or a zombie, which holds nothing any more
            del parents[process.name]
            continue
        names[process.name] = Path(words[0]).name
        in_pod = any(group.split(":", 2)[-1].startswith("/kubepods") for group in groups)
        if in_pod or (_is_shim(words, every) and _namespace(process, "pid") == here):
            roots.add(process.name)
    return {pid: names[pid] for pid, parent in parents.items() if pid in roots or parent in roots}


def networks(host: Host, every: bool) -> set[str]:
    """Network namespaces, as `net:[number]`, that processes other than those are in."""
    ours = containers(host, every)
    others = (process for process in host.path("/proc").glob("[0-9]*") if process.name not in ours)
    return {_namespace(process, "net") for process in others}


def cgroups(host: Host) -> list[str]:
    return [str(folder) for folder in _folders(host)]


def remove_cgroups(host: Host) -> None:
    """A slice of systemd's is systemd's to remove. A cgroup is busy until the last of its dead is buried."""
    host.run(["systemctl", "stop", "kubepods.slice"], 30)
    deadline = time.monotonic() + _TIMEOUT
    while (left := _folders(host)) and time.monotonic() < deadline:
        for folder in left:
            for inner in [*sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True), folder]:
                with suppress(OSError):
                    inner.rmdir()
        time.sleep(_POLL if _folders(host) else 0)


def _is_shim(words: list[str], every: bool) -> bool:
    options = dict(pairwise(words))
    known = every or options.get("-namespace") == _PODS
    return Path(words[0]).name.startswith("containerd-shim") and options.get("-address") == _SOCKET and known


def _namespace(process: Path, kind: str) -> str:
    try:
        return str((process / "ns" / kind).readlink())
    except OSError:
        return ""


def _folders(host: Host) -> list[Path]:
    """In the one hierarchy of cgroup v2, or in each of v1, where links are further names of the same."""
    roots = [host.path("/sys/fs/cgroup"), *sorted(host.path("/sys/fs/cgroup").glob("*"))]
    return [root / name for root in roots if not root.is_symlink() for name in _CGROUPS if (root / name).is_dir()]
