# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The only place that calls kubeadm: init, join and reset, each asking the world first."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import ADMIN, PATH, POLL, Kubectl
from ansible_collections.ohmykube.cluster.plugins.module_utils.locking import locked
from ansible_collections.ohmykube.cluster.plugins.module_utils.report import Run
from ansible_collections.ohmykube.cluster.plugins.module_utils.reset import network

KUBELET = "/etc/kubernetes/kubelet.conf"
CONFIG = "/etc/kubernetes/kubeadm.yaml"
PATCHES = "/etc/kubernetes/patches"
MANIFESTS = "/etc/kubernetes/manifests"
# Written when a control plane is finished. Only without it may one be wiped: with it there is data.
INITIALISED = "/var/lib/ohmykube/initialised"
TRACES = ("/etc/kubernetes/manifests/etcd.yaml", "/etc/kubernetes/pki/ca.crt", KUBELET, "/var/lib/etcd/member")
# What is said to a node that has an identity of another cluster, or none that is known.
_UNKNOWN = (
    "NotFound",
    "not found",
    "Unauthorized",
    "must be logged in",
    "x509",
    "Forbidden",
    "forbidden",
    "unable to read",
)
_LOCK = "/run/ohmykube/kubeadm.lock"
_LOCK_TIMEOUT = 300  # seconds for another module to come to its end
_RESET_TIMEOUT = 120  # seconds
_SOON = "--request-timeout=3s"  # while a cluster starts, nobody has the address that control planes share
_SOON_TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class Setup:
    """What kubeadm is given. config: its documents. patches: of what it makes, by the name of kubeadm's file.

    pods: manifests of static pods beside its own, by file; an empty one is to be absent. control_plane: to join as one.
    """

    config: str
    patches: Mapping[str, str] = field(default_factory=dict)
    pods: Mapping[str, str] = field(default_factory=dict)
    control_plane: bool = False


def alone(run: Run) -> Run:
    """A module that makes a node: it waits for the end of another one that does.

    They outlive the connection of whoever was interrupted. Raises OhmykubeError `cache.locked` where there is no end.
    """

    @wraps(run)
    def waiting(options: dict[str, Any], host: Host, *, check_mode: bool) -> dict[str, Any]:
        if check_mode:
            return run(options, host, check_mode=True)
        lock = host.path(_LOCK)
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(lock, _LOCK_TIMEOUT):
            return run(options, host, check_mode=False)

    return waiting


@dataclass(frozen=True)
class Kubeadm:
    host: Host
    ignore_preflight: Sequence[str] = ()

    def run(self, *arguments: str, timeout: float) -> str:
        """Its output. Raises OhmykubeError `kubeadm.failed` with its own words and the kubelet's last ones."""
        done = self.host.run(["env", PATH, "kubeadm", *arguments], timeout)
        if done.code:
            words = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
            journal = self.host.run(["journalctl", "--no-pager", "--output=cat", "--lines=15", "--unit=kubelet"], 30)
            raise OhmykubeError(
                "kubeadm.failed",
                f"kubeadm {arguments[0]} failed: {_point(words)}",
                hint="mend what it names and run the same command again: it begins anew by itself",
                context={"output": words[-3000:], "kubelet": journal.stdout[-3000:]},
            )
        return done.stdout

    def reset(self) -> None:
        """Wipe what kubeadm made on this node, and what the pod network would remember of the cluster before."""
        self.host.path(INITIALISED).unlink(missing_ok=True)  # first: half of a control plane is none that was finished
        socket = "--cri-socket=unix:///run/containerd/containerd.sock"
        self.run("reset", "--force", socket, timeout=_RESET_TIMEOUT)
        network.forget(self.host)

    def wipe(self) -> None:
        """As `reset`, where there is something to wipe."""
        if any(self.host.path(trace).exists() for trace in TRACES):
            self.reset()

    def initialised(self) -> bool:
        """Whether this is a control plane that was finished."""
        return self.host.path(INITIALISED).exists()

    def needs_init(self, *, timeout: float) -> bool:
        """Whether this control plane has no cluster yet.

        One that has, but does not answer, is an error and never wiped.
        timeout: seconds that a cluster of ours may take to answer, after a reboot for instance.
        """
        if not self.initialised():
            return True
        deadline = time.monotonic() + timeout
        while not Kubectl(self.host).answers():
            if time.monotonic() > deadline:
                raise OhmykubeError(
                    "kubeadm.unhealthy",
                    f"the control plane was set up before, but its API server does not answer within {timeout:.0f} s",
                    hint="on the node: crictl ps -a; journalctl -u kubelet. Its data is left alone",
                    context={"admin": ADMIN},
                )
            time.sleep(POLL)
        return False

    def init(self, setup: Setup, *, timeout: float) -> None:
        """Make the cluster; what an interrupted run left is wiped first."""
        self.wipe()
        self._configure(setup)
        self.run("init", f"--config={CONFIG}", *self._ignore(), timeout=timeout)
        self.place_pods(setup.pods)  # they use what init makes
        write_atomic(self.host.path(INITIALISED), b"", 0o600)

    def place_pods(self, pods: Mapping[str, str], *, dry_run: bool = False) -> bool:
        """See to the manifests of static pods; whether one changed, or would."""
        changed = False
        for name, text in pods.items():
            path = f"{MANIFESTS}/{Path(name).name}"
            if (self.host.read(path) or "") == text:
                continue
            changed = True
            if dry_run:
                continue
            if text:
                write_atomic(self.host.path(path), text.encode(), 0o600)
            else:
                self.host.path(path).unlink()
        return changed

    def needs_join(self, node: str, *, control_plane: bool = False, timeout: float) -> bool:
        """Whether the cluster does not know this node by the kubelet's identity, or it is half a control plane.

        An API server that cannot be reached says nothing about that: OhmykubeError after `timeout` seconds, and the
        node stays as it is.
        """
        if not self.host.path(KUBELET).exists() or (control_plane and not self.initialised()):
            return True
        kubectl = Kubectl(self.host, KUBELET)
        deadline = time.monotonic() + timeout
        while True:
            done = kubectl.run("get", "node", node, "--output=name")
            if done.code == 0:
                return False
            if any(words in done.stderr for words in _UNKNOWN):
                return True
            if time.monotonic() > deadline:
                raise OhmykubeError(
                    "kubeadm.unreachable",
                    f"{node} cannot ask the API server whether it belongs to the cluster: {done.stderr.strip()}",
                    hint="is the control plane up, and its port 6443 open to this node?",
                    context={"output": done.stderr},
                )
            time.sleep(POLL)

    def forgotten(self, node: str) -> bool:
        """Whether this is a control plane that was finished and whose Node the cluster has no more.

        Asked as the administrator, whom any control plane of the cluster answers: this one's own kubelet may ask the
        API server here alone, which is of no use without its member of etcd. What says nothing clear counts as no.
        """
        if not self.initialised():
            return False
        try:
            done = Kubectl(self.host).run("get", "node", node, "--output=name", _SOON, timeout=_SOON_TIMEOUT)
        except OhmykubeError:
            return False
        return done.code != 0 and f'nodes "{node}" not found' in done.stderr

    def join(self, setup: Setup, *, timeout: float) -> None:
        """Join; the configuration holds the token and is removed again."""
        self.wipe()
        self._configure(setup)
        try:
            self.run("join", f"--config={CONFIG}", *self._ignore(), timeout=timeout)
        finally:
            self.host.path(CONFIG).unlink(missing_ok=True)
        if setup.control_plane:
            self.place_pods(setup.pods)
            write_atomic(self.host.path(INITIALISED), b"", 0o600)

    def _configure(self, setup: Setup) -> None:
        write_atomic(self.host.path(CONFIG), setup.config.encode(), 0o600)
        folder = self.host.path(PATCHES)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, patch in setup.patches.items():
            write_atomic(folder / Path(name).name, patch.encode(), 0o600)

    def _ignore(self) -> list[str]:
        return [f"--ignore-preflight-errors={','.join(self.ignore_preflight)}"] if self.ignore_preflight else []


def _point(words: str) -> str:
    """The lines in which kubeadm names errors, else its last one."""
    named = [line.strip() for line in words.splitlines() if "[ERROR" in line or line.startswith("error")]
    return "; ".join(named) or (words.splitlines()[-1] if words else "no output")
