# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The members of etcd, asked by its HTTP gateway on a control plane, so that no etcdctl is needed.

Source: etcd's api reference, `/v3/cluster/member/…` and `/v3/maintenance/status`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_CA = "/etc/kubernetes/pki/etcd/ca.crt"
_OWN = "/etc/kubernetes/pki/apiserver-etcd-client"  # etcd's own are made anew where a node has moved
_MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
_TIMEOUT = 10  # seconds for one question
_HERE = "https://127.0.0.1:2379"
_CLIENTS = "https://{}:2379"  # where kubeadm's members are asked


class Ask(Protocol):
    def __call__(self, path: str, body: Mapping[str, Any], url: str = _HERE) -> Mapping[str, Any]:
        """The answer to a question. path: below `/v3/`. url: of the member that is asked."""
        ...


@dataclass(frozen=True)
class Member:
    """id: as etcd's gateway writes it. name: of its node; empty before it has begun.

    peer_urls: where the other members reach it. client_urls: where it is asked. learner: it has no vote yet.
    """

    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...] = ()
    learner: bool = False


@dataclass(frozen=True)
class Etcd:
    """url: of the member that is asked of all."""

    ask: Ask = field(default_factory=lambda: gateway(Host()))
    url: str = _HERE

    def members(self) -> list[Member]:
        return [_member(item) for item in self.ask("cluster/member/list", {}, self.url).get("members", [])]

    def update(self, member: Member, peer_urls: Sequence[str]) -> None:
        self.ask("cluster/member/update", {"ID": member.id, "peerURLs": list(peer_urls)}, self.url)

    def remove(self, member: Member) -> None:
        self.ask("cluster/member/remove", {"ID": member.id}, self.url)

    def elsewhere(self, addresses: Sequence[str]) -> list[Etcd]:
        """The same, asked of each of the members at these addresses that follows a leader."""
        urls = [_CLIENTS.format(f"[{address}]" if ":" in address else address) for address in addresses]
        return [Etcd(self.ask, url) for url in urls if self._follows(url)]

    def healthy(self, member: Member) -> bool:
        """Whether it says, at any of its addresses, that it follows a leader."""
        return any(self._follows(url) for url in member.client_urls)

    def _follows(self, url: str) -> bool:
        try:
            return bool(self.ask("maintenance/status", {}, url).get("leader", "0") != "0")
        except OhmykubeError:
            return False


def runs_here(host: Host) -> bool:
    """Whether this machine is a control plane with an etcd of its own."""
    return host.path(_MANIFEST).exists()


def forget(etcd: Etcd, names: Sequence[str], addresses: Collection[str] = ()) -> list[str]:
    """Take members out: by the name of their node, or, before they had one, by their address. Who they were."""
    gone = _meant(etcd.members(), names, addresses)
    for member in gone:
        etcd.remove(member)
    return [_called(member) for member in gone]


def refuse_loss(etcd: Etcd, names: Sequence[str], addresses: Collection[str] = (), *, hint: str = "") -> None:
    """Raise OhmykubeError `etcd.quorum` where those that stay would not be enough to decide anything.

    hint: a way out besides those that there always are.
    """
    members = [member for member in etcd.members() if not member.learner]
    gone = _meant(members, names, addresses)
    staying = [member for member in members if member not in gone]
    if not gone:
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(staying) or 1) as pool:
        living = sum(pool.map(etcd.healthy, staying))
    enough = len(staying) // 2 + 1
    if living < enough:
        leaving = ", ".join(map(_called, gone))
        raise OhmykubeError(
            "etcd.quorum",
            f"without {leaving}, etcd has {len(staying)} members, of which {living} work; it needs {enough}",
            hint="start the other control planes first, or add one" + (f"; {hint}" if hint else ""),
            context={"members": ", ".join(member.name for member in members)},
        )


def _called(member: Member) -> str:
    return member.name or ", ".join(member.peer_urls)


def _meant(members: Sequence[Member], names: Sequence[str], addresses: Collection[str]) -> list[Member]:
    urls = {f"https://{address}:2380" for address in addresses if address}
    return [each for each in members if each.name in names or (not each.name and urls.intersection(each.peer_urls))]


def _member(item: Mapping[str, Any]) -> Member:
    peers, clients = tuple(item.get("peerURLs", ())), tuple(item.get("clientURLs", ()))
    return Member(item["ID"], item.get("name", ""), peers, clients, item.get("isLearner", False))


def gateway(host: Host) -> Ask:
    """Questions to members of etcd, with what this control plane has. Raises OhmykubeError `etcd.failed`."""

    def ask(path: str, body: Mapping[str, Any], url: str = _HERE) -> Mapping[str, Any]:
        import http.client  # here: most tasks ask nobody, and these are a fifth of what such a task takes
        import ssl

        asked = urlsplit(url)
        try:
            context = ssl.create_default_context(cafile=str(host.path(_CA)))
            context.load_cert_chain(host.path(f"{_OWN}.crt"), host.path(f"{_OWN}.key"))
            connection = http.client.HTTPSConnection(
                asked.hostname or "", asked.port, timeout=_TIMEOUT, context=context
            )
            connection.request("POST", f"/v3/{path}", json.dumps(body))
            answer = connection.getresponse()
            said = answer.read().decode()
            connection.close()
        except OSError as error:
            raise _failed(path, str(error)) from error
        if answer.status != http.client.OK:
            raise _failed(path, said.strip())
        return dict(json.loads(said))

    return ask


def _failed(path: str, words: str) -> OhmykubeError:
    return OhmykubeError(
        "etcd.failed",
        f"etcd does not answer {path}: {words}",
        hint="on the control plane: crictl ps -a --name=etcd; crictl logs of it",
        context={"output": words},
    )
