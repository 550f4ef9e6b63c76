# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Upstream's manifests, changed as data where a cluster needs it. Pure; runs on the controller."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import kube_yaml
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError

Manifest = dict[str, Any]
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_WEBHOOKS = "ValidatingWebhookConfiguration"
_PROBE_SECONDS = 1  # how often a starting add-on is asked whether it is ready; upstream's asks first after 5 or 10
_STARTUP_SECONDS = 60  # until an add-on that has not started is started anew
_HOST_ADDRESS = {"name": "HOST_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
_SUBNET = "/run/flannel/subnet.env"
# Of whoever enforces NetworkPolicies; flannel itself may look at pods, nodes and namespaces.
_POLICY_RULES = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list", "watch"]},
]


def plain(value: Any) -> Any:
    """The value without Ansible's tagged types, which YAML cannot write."""
    return json.loads(json.dumps(value, default=str))


def without_tags(make: Callable[..., str]) -> Callable[..., str]:
    """For use as a filter, whose arguments are of Ansible's tagged types."""

    def made(*arguments: Any, **options: Any) -> str:
        return make(*map(plain, arguments), **{key: plain(value) for key, value in options.items()})

    return made


def flannel(text: str, *, pod_cidr: str, backend: str, api_server: str = "", policy_image: str = "") -> str:
    """flannel for a pod network, over the interface that has the kubelet's address.

    pod_cidr: of IPv4, or of IPv4 and IPv6 with a comma between.
    api_server: host:port; empty: the service's address, which kube-proxy must have prepared.
    policy_image: kube-network-policies', which enforces NetworkPolicies beside it; empty: nobody does.
    """
    host, _, port = api_server.rpartition(":")
    direct = [{"name": "KUBERNETES_SERVICE_HOST", "value": host}, {"name": "KUBERNETES_SERVICE_PORT", "value": port}]

    def change(item: Manifest) -> None:
        if item["kind"] == "ConfigMap":
            network = json.loads(item["data"]["net-conf.json"])
            first, _, second = pod_cidr.partition(",")
            network.update(Network=first, Backend={**network.get("Backend", {}), "Type": backend})
            network.update({"EnableIPv6": True, "IPv6Network": second} if second else {})
            item["data"]["net-conf.json"] = json.dumps(network)
        elif item["kind"] == "DaemonSet":
            pod = item["spec"]["template"]["spec"]
            _network_before_ready(pod)
            _quick_probes(pod)
            (main,) = pod["containers"]
            main.setdefault("env", []).extend([_HOST_ADDRESS, *(direct if host else [])])
            main["args"].append("--iface=$(HOST_ADDRESS)")
            if policy_image:
                _enforce_policies(pod, policy_image, main["env"])
        elif item["kind"] == "ClusterRole" and policy_image:
            item["rules"] += _POLICY_RULES

    return _changed(text, change, kinds=("ConfigMap", "DaemonSet", *(["ClusterRole"] if policy_image else [])))


def _enforce_policies(pod: Manifest, image: str, environment: list[Manifest]) -> None:
    """What flannel's own chart adds with `netpol.enabled`, with the way to the API server that flannel has.

    The folders are those of kube-network-policies' own manifest: containerd tells of a pod's address there before the
    API server does, so that no pod is open while it is new.
    """
    node = {"name": "MY_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    folders = {"nri-plugin": "/var/run/nri", "netns": "/var/run/netns"}
    container = {
        "name": "kube-network-policies",
        "image": image,
        "command": ["/bin/netpol", "--hostname-override=$(MY_NODE_NAME)", "--v=2"],
        "env": [node, *(each for each in environment if each["name"].startswith("KUBERNETES_"))],
        "volumeMounts": [
            {"name": "nri-plugin", "mountPath": folders["nri-plugin"]},
            {"name": "netns", "mountPath": folders["netns"], "mountPropagation": "HostToContainer"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "50Mi"}},
        "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
    }
    pod["containers"].append(container)
    pod["volumes"] += [{"name": name, "hostPath": {"path": path}} for name, path in folders.items()]


def local_path(text: str, *, default_class: bool, helper_image: str, path: str) -> str:
    """local-path-provisioner. helper_image: pinned, where upstream's is untagged; path: the folder on each node."""

    def change(item: Manifest) -> None:
        if item["kind"] == "StorageClass":
            item["metadata"].setdefault("annotations", {})[DEFAULT_CLASS] = str(default_class).lower()
        elif item["kind"] == "ConfigMap":
            data = item["data"]
            config = json.loads(data["config.json"])
            for entry in config["nodePathMap"]:
                entry["paths"] = [path]
            data["config.json"] = json.dumps(config)
            (pod,) = kube_yaml.documents(data["helperPod.yaml"])
            for container in pod["spec"]["containers"]:
                container.update(image=helper_image, imagePullPolicy="IfNotPresent")
            data["helperPod.yaml"] = kube_yaml.text([pod])
        elif item["kind"] == "Deployment":
            _quick_probes(item["spec"]["template"]["spec"])

    return _changed(text, change, kinds=("ConfigMap", "StorageClass", "Deployment"))


def metallb(text: str, *, on_control_planes: bool) -> str:
    """MetalLB without the webhook that checks its pools, which comes with the first one.

    on_control_planes: whether nodes announce addresses though they have the label that asks to leave them out.
    """

    def change(item: Manifest) -> None:
        if item["kind"] in ("Deployment", "DaemonSet"):
            pod = item["spec"]["template"]["spec"]
            _quick_probes(pod)
            if item["kind"] == "DaemonSet" and on_control_planes:
                pod["containers"][0]["args"].append("--ignore-exclude-lb")

    return _changed(text, change, kinds=("Deployment", "DaemonSet"), leave=(_WEBHOOKS,))


def metallb_pool(text: str, *, addresses: str, peers: Sequence[Mapping[str, Any]] = ()) -> str:
    """MetalLB's pool of addresses, how it is announced, and then the webhook of its manifest `text`.

    In this order a cluster need not wait until the webhook answers: what it would check of the pool is checked here.
    addresses: ranges or networks, separated by commas; OhmykubeError `metallb.addresses` where they are neither.
    peers: routers that are told by BGP, each with address, asn and my_asn; without any it is announced by ARP and NDP.
    """
    pool = _metallb("IPAddressPool", "ohmykube", {"addresses": [_range(part.strip()) for part in addresses.split(",")]})
    told = {"ipAddressPools": ["ohmykube"]}
    ways = [_metallb("BGPAdvertisement" if peers else "L2Advertisement", "ohmykube", told)]
    for number, peer in enumerate(peers, 1):
        spec = {"myASN": int(peer["my_asn"]), "peerASN": int(peer["asn"]), "peerAddress": str(peer["address"])}
        port = {"peerPort": int(peer["port"])} if peer.get("port") else {}
        ways.append(_metallb("BGPPeer", f"ohmykube-{number}", {**spec, **port}, version="v1beta2"))
    webhooks = [item for item in kube_yaml.documents(text) if item["kind"] == _WEBHOOKS]
    return kube_yaml.manifest([pool, *ways, *webhooks])


def _metallb(kind: str, name: str, spec: Manifest, *, version: str = "v1beta1") -> Manifest:
    metadata = {"name": name, "namespace": "metallb-system"}
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def _range(text: str) -> str:
    first, _, last = text.partition("-")
    try:
        if "/" in text:
            ip_network(text, strict=False)
        elif int(ip_address(first.strip())) > int(ip_address(last.strip())):
            raise ValueError(f"{last} comes before {first}")
    except ValueError as error:
        raise OhmykubeError(
            "metallb.addresses",
            f"{text or 'nothing'} is no range of addresses: {error}",
            hint="write 192.168.1.240-192.168.1.250 or 192.168.1.240/28; several with commas between them",
        ) from error
    return text


def _quick_probes(pod: Manifest) -> None:
    """Notice at once that a pod is ready: a cluster is waited for by whoever made it. Liveness stays upstream's.

    With a startup probe readiness keeps upstream's pace too: the kubelet asks at once when that has passed.
    local-path-provisioner makes five requests to be ready, which, each second, are all that its client may make.
    """
    for container in pod["containers"]:
        for kind in ("startupProbe", "readinessProbe"):
            if kind in container:
                container[kind].pop("initialDelaySeconds", None)
        if "startupProbe" in container:
            startup = {"periodSeconds": _PROBE_SECONDS, "failureThreshold": _STARTUP_SECONDS // _PROBE_SECONDS}
            container["startupProbe"].update(startup)
        elif "readinessProbe" in container:
            container["readinessProbe"]["periodSeconds"] = _PROBE_SECONDS


def _network_before_ready(pod: Manifest) -> None:
    """Write the CNI configuration when flannel has a subnet, not before it runs.

    The configuration makes a node Ready. Pods that come before there is a subnet fail, and the kubelet tries them again
    only after 10 seconds.
    """
    main = pod["containers"][0]
    install = next(container for container in pod["initContainers"] if container["name"] == "install-cni")
    pod["initContainers"].remove(install)
    script = f'until [ -s {_SUBNET} ]; do sleep 0.1; done; exec "$@"'
    command = ["sh", "-c", script, "sh", *install["command"], *install["args"]]
    main["lifecycle"] = {"postStart": {"exec": {"command": command}}}
    main["volumeMounts"] += [mount for mount in install["volumeMounts"] if mount not in main["volumeMounts"]]


def _changed(
    text: str, change: Callable[[Manifest], None], *, kinds: tuple[str, ...], leave: tuple[str, ...] = ()
) -> str:
    """The manifest after `change`; OhmykubeError where it is not the upstream's that we know.

    kinds: those that it must have. leave: those that are left out.
    """
    items = [item for item in kube_yaml.documents(text) if item["kind"] not in leave]
    absent = set(kinds) - {item["kind"] for item in items}
    try:
        if absent:
            raise KeyError(", ".join(sorted(absent)))
        for item in items:
            change(item)
    except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
        raise OhmykubeError(
            "manifest.unknown",
            f"the manifest is not built as expected: {error!r}",
            hint="use a version of the component that the catalogue knows",
        ) from error
    return kube_yaml.manifest(items)
