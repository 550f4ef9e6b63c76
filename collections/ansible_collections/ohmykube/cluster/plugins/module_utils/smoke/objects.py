# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What is put into the cluster to try it out. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

NAMESPACE = "ohmykube-smoke"
WORDS = "written by one pod"
PORT = 8080
# 109 kB, the same everywhere, so that whoever fetches it knows its sum.
PAYLOAD = "seq 1 20000"

Object = dict[str, Any]

_ANYWHERE = {"tolerations": [{"operator": "Exists"}]}  # on every node, whatever its taints
_SERVE = f'mkdir /www && {PAYLOAD} >/www/payload && echo "smoke on $NODE" && exec httpd -f -p {PORT} -h /www'
_WRITE = f"echo '{WORDS}' >/data/words && sync"
_READ = "cat /data/words"


def network(image: str, *, load_balancer: bool) -> list[Object]:
    """A web server in a pod on each node, a pod in each node's own network, and one service for all ways in.

    Behind the service is one pod alone: for all nodes but one it is elsewhere, and no second try finds a nearer one.
    """
    probe = {"httpGet": {"path": "/payload", "port": PORT}, "periodSeconds": 1}
    server = {**_container(image, _SERVE), "readinessProbe": probe}
    host = {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    kind = "LoadBalancer" if load_balancer else "NodePort"
    ports = [{"port": 80, "targetPort": PORT}]
    service = {"type": kind, "ipFamilyPolicy": "PreferDualStack", "selector": {"app": "web"}, "ports": ports}
    return [
        _daemons("pod", server, {}),
        _daemons("node", _container(image, "exec sleep 3600"), host),
        _object("v1", "Pod", "web", {**_pod(server), **_ANYWHERE}),
        _object("v1", "Service", "web", service),
    ]


def policy(*, allow: bool) -> Object:
    """Who may come to the web servers of all nodes: nobody, or each other."""
    rules = [{"from": [{"podSelector": {"matchLabels": {"app": "pod"}}}]}] if allow else []
    servers = {"matchLabels": {"app": "pod"}}
    spec = {"podSelector": servers, "policyTypes": ["Ingress"], "ingress": rules}
    return _object("networking.k8s.io/v1", "NetworkPolicy", "servers", spec)


def volume(image: str) -> list[Object]:
    """A volume of the default class, and a pod that writes to it and ends."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Mi"}}}
    return [_object("v1", "PersistentVolumeClaim", "data", claim), _with_volume("writer", image, _WRITE)]


def reader(image: str) -> list[Object]:
    """A pod that prints what another one wrote."""
    return [_with_volume("reader", image, _READ)]


def namespace() -> Object:
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}  # for the nodes' own network
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def as_text(objects: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _daemons(name: str, container: Mapping[str, Any], more: Mapping[str, Any]) -> Object:
    labels = {"app": name}
    pod = {**_pod(container), **_ANYWHERE, **more}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return _object("apps/v1", "DaemonSet", name, {"selector": {"matchLabels": labels}, "template": template})


def _with_volume(name: str, image: str, script: str) -> Object:
    container = {**_container(image, script), "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    return _object("v1", "Pod", name, {**_pod(container), "restartPolicy": "Never", "volumes": volumes})


def _pod(container: Mapping[str, Any]) -> Object:
    return {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}


def _container(image: str, script: str) -> Object:
    node = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    command = ["sh", "-euc", script]
    return {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": command, "env": [node]}


def _object(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
