# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A node whose machine came back with another address: everything on it that has the old one is put right.

kubeadm writes addresses into certificates, manifests and kubeconfigs when it makes a node. The node keeps a note until
all is done: whoever is killed here is followed by one who finishes. A node of both families has two addresses, with a
comma between, here as in the kubelet's --node-ip.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.etcd import Etcd
from ansible_collections.ohmykube.cluster.plugins.module_utils.files import write_atomic
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import CONFIG, Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import PATH, Kubectl, until

FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
_NODE_IP = re.compile(r"--node-ip=([0-9a-fA-F.:,]+)")
_KUBECONFIGS = "/etc/kubernetes"
_MANIFESTS = "/etc/kubernetes/manifests"
_PKI = "/etc/kubernetes/pki"
_CERTIFICATES = {"apiserver": "apiserver", "etcd-server": "etcd/server", "etcd-peer": "etcd/peer"}  # phase → files
UNTOLD = "/var/lib/ohmykube/moved-from"
_KNOWN_TIMEOUT = 60  # seconds until the kubelet has told the API server
_PHASE_TIMEOUT = 60  # seconds; keys are made


def old_address(host: Host, address: str) -> str:
    """The address that the node was made with, where it is another one; empty otherwise."""
    found = _NODE_IP.search(host.read(FLAGS) or "")
    old = (host.read(UNTOLD) or "").strip() or (found[1] if found else "")
    return old if address and old != address else ""


def refuse_most(planes: Sequence[str], moved: Collection[str]) -> None:
    """Raise OhmykubeError `kubeadm.moved` where so many of several control planes have moved that etcd decides nothing.

    Its members find each other by the addresses that most of them have agreed upon.
    """
    names, enough = [plane for plane in planes if plane in moved], len(planes) // 2 + 1
    if names and len(planes) > 1 and len(planes) - len(names) < enough:
        raise _too_many(
            f"{len(names)} of {len(planes)} control planes have other addresses than before ({', '.join(names)}); "
            f"etcd needs {enough} at the old ones to hear of new ones"
        )


def _too_many(words: str) -> OhmykubeError:
    hint = "give them their old addresses back, most of them at least; without, the cluster is to be made anew"
    return OhmykubeError("kubeadm.moved", words, hint=hint)


def move_worker(host: Host, old: str, new: str) -> None:
    """It finds the API server by a name of /etc/hosts, so that only its own address is left to change."""
    write_atomic(host.path(UNTOLD), old.encode(), 0o600)
    _rewrite(host.path(FLAGS), old, new)
    host.command(["systemctl", "restart", "kubelet"])


def move_control_plane(host: Host, kubeadm: Kubeadm, config: str, old: str, new: str) -> None:
    """config: kubeadm's documents with the new address. The API server answers some time after."""
    write_atomic(host.path(UNTOLD), old.encode(), 0o600)
    write_atomic(host.path(CONFIG), config.encode(), 0o600)
    for file in (*host.path(_KUBECONFIGS).glob("*.conf"), *host.path(_MANIFESTS).glob("*.yaml")):
        _rewrite(file, old, new)
    for phase, name in _CERTIFICATES.items():
        for kind in ("crt", "key"):
            host.path(f"{_PKI}/{name}.{kind}").unlink(missing_ok=True)
        kubeadm.run("init", "phase", "certs", phase, f"--config={CONFIG}", timeout=_PHASE_TIMEOUT)
    move_worker(host, old, new)
    _restart(host, "kube-controller-manager", "kube-scheduler")  # they read their kubeconfigs once


def tell_cluster(kubeadm: Kubeadm) -> None:
    """What the cluster itself remembers in kubeadm's configuration."""
    kubeadm.run("init", "phase", "upload-config", "kubeadm", f"--config={CONFIG}", timeout=_PHASE_TIMEOUT)


def tell_etcd(etcd: Etcd, old: str, new: str) -> None:
    """Where its members find the one that has moved."""
    for member in etcd.members():
        urls = tuple(_readdressed(url, old, new) for url in member.peer_urls)
        if urls != member.peer_urls:
            etcd.update(member, urls)


def tell_others(etcd: Etcd, others: Sequence[str], old: str, new: str) -> None:
    """The members of etcd on the other control planes, at these addresses, while this one has not begun.

    Raises OhmykubeError `kubeadm.moved` where they are not enough without it.
    """
    living = etcd.elsewhere(others)
    several = sum(not member.learner for member in living[0].members()) if living else len(others) + 1
    enough = several // 2 + 1
    if len(living) < enough:
        raise _too_many(
            f"a control plane has moved from {old} to {new}, and of etcd's {several} members {len(living)} work "
            f"elsewhere; it needs {enough} to hear of the new address"
        )
    tell_etcd(living[0], old, new)


def settle(host: Host, kubectl: Kubectl, node: str, address: str, *, timeout: float = _KNOWN_TIMEOUT) -> None:
    """The end of it. kube-proxy asks for its node's address once: it starts anew when the API server knows that."""

    def look() -> list[str]:
        seen = kubectl.json("get", "node", node)["status"].get("addresses", [])
        unknown = set(address.split(",")) - {entry["address"] for entry in seen}
        return [f"{node} is not known at {each}" for each in sorted(unknown)]

    words = "on the node: journalctl -u kubelet"
    until(look, timeout=timeout, what=f"{node} has moved", explain=lambda: words)
    _restart(host, "kube-proxy")
    host.path(UNTOLD).unlink(missing_ok=True)


def _restart(host: Host, *names: str) -> None:
    """The kubelet starts containers anew that have ended."""
    for name in names:
        found = host.command(["env", PATH, "crictl", "ps", "--quiet", f"--name=^{name}$"]).split()
        if found:
            host.command(["env", PATH, "crictl", "stop", *found])


def _rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    changed = _readdressed(text, old, new)
    if changed != text:
        write_atomic(file, changed.encode(), file.stat().st_mode & 0o777)


def _readdressed(text: str, old: str, new: str) -> str:
    for before, after in zip(old.split(","), new.split(","), strict=False):
        text = re.sub(_whole(before), after, text)
    return text


def _whole(address: str) -> str:
    """Not as a part of a longer one."""
    return rf"(?<![0-9a-fA-F.:]){re.escape(address)}(?![0-9a-fA-F.])"
