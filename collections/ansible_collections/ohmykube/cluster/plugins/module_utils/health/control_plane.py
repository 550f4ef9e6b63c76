# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Are this control plane's own API server and etcd well? Each is asked directly, without the other's help."""

from __future__ import annotations

import http.client
import json
import re
import ssl

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
ETCD = "/etc/kubernetes/manifests/etcd.yaml"
AUTHORITY = "/etc/kubernetes/pki/ca.crt"
_TIMEOUT = 5.0  # seconds for one answer

_ADDRESS = re.compile(r"--advertise-address=(\S+)")
_PORT = re.compile(r"--secure-port=(\d+)")
_METRICS = re.compile(r"--listen-metrics-urls=http://([^:/,\s]+|\[[^\]]+\]):(\d+)")


def api_server(host: Host) -> str:
    """What is wrong, in half a sentence; empty where it calls itself ready."""
    manifest = host.read(API_SERVER) or ""
    address, port = _ADDRESS.search(manifest), _PORT.search(manifest)
    if not address:
        return f"there is no {API_SERVER}"
    try:
        trust = ssl.create_default_context(cafile=str(host.path(AUTHORITY)))
        trust.check_hostname = False
        connection = http.client.HTTPSConnection(
            address[1], int(port[1]) if port else 6443, timeout=_TIMEOUT, context=trust
        )
        status, body = _get(connection, "/readyz?verbose")
    except (OSError, http.client.HTTPException) as error:
        return f"it does not answer: {error}"
    failed = re.findall(r"^\[-\](\S+) failed", body, re.MULTILINE)
    return "" if status == 200 else f"it is not ready: {', '.join(failed) or f'it answers {status}'}"


def etcd(host: Host) -> str:
    """The same of etcd: with its health goes a read that a majority of the members agrees to."""
    metrics = _METRICS.search(host.read(ETCD) or "")
    if not metrics:
        return ""  # it is somewhere else, or does not tell of itself: the API server's readiness speaks for it
    try:
        connection = http.client.HTTPConnection(metrics[1].strip("[]"), int(metrics[2]), timeout=_TIMEOUT)
        _, body = _get(connection, "/health")
        said = json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"it does not answer: {error}"
    return "" if said.get("health") == "true" else f"it is not healthy: {said.get('reason') or body}"


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()
