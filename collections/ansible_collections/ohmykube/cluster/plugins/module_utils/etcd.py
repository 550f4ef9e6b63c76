# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The members of etcd, asked of the one on this control plane by its HTTP gateway, so that no etcdctl is needed.

Source: etcd's api reference, `/v3/cluster/member/…`.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_PKI = "/etc/kubernetes/pki/etcd"
_TIMEOUT = 10  # seconds for one question
# path, body → answer
Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Member:
    """id: as etcd's gateway writes it. name: of its node. peer_urls: where the other members reach it."""

    id: str
    name: str
    peer_urls: tuple[str, ...]


@dataclass(frozen=True)
class Etcd:
    ask: Ask = field(default_factory=lambda: gateway(Host()))

    def members(self) -> list[Member]:
        found = self.ask("member/list", {}).get("members", [])
        return [Member(item["ID"], item.get("name", ""), tuple(item.get("peerURLs", ()))) for item in found]

    def update(self, member: Member, peer_urls: Sequence[str]) -> None:
        self.ask("member/update", {"ID": member.id, "peerURLs": list(peer_urls)})


def gateway(host: Host) -> Ask:
    """Questions to the etcd of this machine. Raises OhmykubeError `etcd.failed`."""

    def ask(path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            context = ssl.create_default_context(cafile=str(host.path(f"{_PKI}/ca.crt")))
            context.load_cert_chain(host.path(f"{_PKI}/server.crt"), host.path(f"{_PKI}/server.key"))
            connection = http.client.HTTPSConnection("127.0.0.1", 2379, timeout=_TIMEOUT, context=context)
            connection.request("POST", f"/v3/cluster/{path}", json.dumps(body))
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
