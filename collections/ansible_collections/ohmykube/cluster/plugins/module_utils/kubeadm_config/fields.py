# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The fields that kubeadm's documents have. kubeadm itself only warns of one that it does not know, and goes on.

Source: kubeadm.k8s.io/v1beta4 as of Kubernetes 1.36, of which `kubeadm config validate` is the judge. Of the kubelet's
and kube-proxy's documents, which have hundreds, only what matters here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.documents import BY_NAME, named
from ansible_collections.ohmykube.cluster.plugins.module_utils.places import Path

_NEAR = 0.8  # so alike that it is a slip of the pen, and no field of a Kubernetes to come


@dataclass(frozen=True)
class Problem:
    """What is wrong with the value at `path`. doubtful: a later Kubernetes may know better."""

    path: Path
    words: str
    hint: str = ""
    doubtful: bool = False


@dataclass(frozen=True)
class _Each:
    """A mapping of the user's own keys."""

    of: type


@dataclass(frozen=True)
class _OneOf:
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """Some fields of a mapping that has more."""

    fields: Mapping[str, Any]


_ARGUMENTS = [{"name": str, "value": str}]
_ENVIRONMENT = [{"name": str, "value": str, "valueFrom": object}]
_VOLUMES = [{"name": str, "hostPath": str, "mountPath": str, "readOnly": bool, "pathType": str}]
_COMPONENT = {"extraArgs": _ARGUMENTS, "extraVolumes": _VOLUMES, "extraEnvs": _ENVIRONMENT}
_IMAGE = {"imageRepository": str, "imageTag": str}
_ENDPOINT = {"advertiseAddress": str, "bindPort": int}
_NODE: dict[str, Any] = {
    "dryRun": bool,
    "nodeRegistration": {
        "name": str,
        "criSocket": str,
        "taints": [{"key": str, "value": str, "effect": str, "timeAdded": str}],
        "kubeletExtraArgs": _ARGUMENTS,
        "ignorePreflightErrors": [str],
        "imagePullPolicy": str,
        "imagePullSerial": bool,
    },
    "skipPhases": [str],
    "patches": {"directory": str},
    "timeouts": {
        "controlPlaneComponentHealthCheck": str,
        "kubeletHealthCheck": str,
        "kubernetesAPICall": str,
        "etcdAPICall": str,
        "tlsBootstrap": str,
        "discovery": str,
        "upgradeManifests": str,
    },
}
_TOKEN = {"groups": [str], "token": str, "ttl": str, "expires": str, "usages": [str], "description": str}
FIELDS: dict[str, Any] = {
    "InitConfiguration": {
        **_NODE,
        "bootstrapTokens": [_TOKEN],
        "localAPIEndpoint": _ENDPOINT,
        "certificateKey": str,
    },
    "ClusterConfiguration": {
        "etcd": {
            "local": {
                **_IMAGE,
                "dataDir": str,
                "extraArgs": _ARGUMENTS,
                "extraEnvs": _ENVIRONMENT,
                "serverCertSANs": [str],
                "peerCertSANs": [str],
            },
            "external": {
                "endpoints": [str],
                "httpEndpoints": [str],
                "caFile": str,
                "certFile": str,
                "keyFile": str,
            },
        },
        "networking": {"serviceSubnet": str, "podSubnet": str, "dnsDomain": str},
        "kubernetesVersion": str,
        "controlPlaneEndpoint": str,
        "apiServer": {**_COMPONENT, "certSANs": [str]},
        "controllerManager": _COMPONENT,
        "scheduler": _COMPONENT,
        "dns": {**_IMAGE, "disabled": bool},
        "proxy": {"disabled": bool},
        "certificatesDir": str,
        "imageRepository": str,
        "featureGates": _Each(bool),
        "clusterName": str,
        "encryptionAlgorithm": str,
        "certificateValidityPeriod": str,
        "caCertificateValidityPeriod": str,
    },
    "JoinConfiguration": {
        **_NODE,
        "caCertPath": str,
        "discovery": {
            "bootstrapToken": {
                "token": str,
                "apiServerEndpoint": str,
                "caCertHashes": [str],
                "unsafeSkipCAVerification": bool,
            },
            "file": {"kubeConfigPath": str},
            "tlsBootstrapToken": str,
        },
        "controlPlane": {"localAPIEndpoint": _ENDPOINT, "certificateKey": str},
    },
    "KubeletConfiguration": _Part(
        {
            "featureGates": _Each(bool),
            "cgroupDriver": str,
            "failSwapOn": bool,
            "memorySwap": {"swapBehavior": _OneOf(("NoSwap", "LimitedSwap", ""))},
        }
    ),
    "KubeProxyConfiguration": _Part(
        {"featureGates": _Each(bool), "mode": _OneOf(("nftables", "iptables", "ipvs", ""))}
    ),
}
_WORDS = {
    str: 'must be text; in quotes where it looks like something else: "4"',
    bool: "must be true or false",
    int: "must be a number",
}


def check(kind: str, document: Mapping[str, Any]) -> Iterator[Problem]:
    """All that is wrong with a document, in its order. In a path, items that have names stand by these."""
    fields = FIELDS[kind]
    common = {"apiVersion": object, "kind": object}
    known = _Part({**fields.fields, **common}) if isinstance(fields, _Part) else {**fields, **common}
    yield from _check(known, document, ())


def _check(known: Any, value: Any, path: Path) -> Iterator[Problem]:
    if value is None or known is object:
        return
    if isinstance(known, dict):
        yield from _mapping(known, value, path, closed=True)
    elif isinstance(known, _Part):
        yield from _mapping(known.fields, value, path, closed=False)
    elif isinstance(known, _Each):
        entries = dict.fromkeys(value, known.of) if isinstance(value, Mapping) else {}
        yield from _mapping(entries, value, path, closed=True)
    elif isinstance(known, list):
        yield from _list(known[0], value, path)
    elif isinstance(known, _OneOf):
        if value not in known.words:
            yield Problem(path, f"cannot be {value!r}", f"one of: {', '.join(filter(None, known.words))}")
    elif not isinstance(value, known) or (known is int and isinstance(value, bool)):
        yield Problem(path, _WORDS[known])


def _mapping(known: Mapping[str, Any], value: Any, path: Path, *, closed: bool) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(path, "must be a mapping")
        return
    for key, item in value.items():
        if key in known:
            yield from _check(known[key], item, (*path, key))
        elif closed:
            near = _near(str(key), known)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}"
            yield Problem((*path, str(key)), "is no field that kubeadm has", hint, doubtful=not near)


def _near(word: str, known: Iterable[str]) -> str:
    """The field that was meant, whatever its capitals; empty: none is near."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=_NEAR)
    return lower[found[0]] if found else ""


def _list(known: Any, value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, "must be a list")
        return
    if path[-1] in BY_NAME and not named(value):
        yield Problem(path, "must be a list of mappings, each with a name")
        return
    for index, item in enumerate(value):
        yield from _check(known, item, (*path, item["name"] if path[-1] in BY_NAME else index))
