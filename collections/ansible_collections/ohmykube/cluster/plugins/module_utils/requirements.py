# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a cluster needs from the catalogue, by the `spec` of its cluster file. Pure: asked before machines exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Components that every node gets: name in the catalogue → role variable that names its version.
_NODE = {
    "containerd": "containerd_version",
    "runc": "containerd_runc_version",
    "cni_plugins": "containerd_cni_plugins_version",
    "crictl": "containerd_crictl_version",
}
# Pod networks and storage that are built in; any other is one of the cluster's add-ons, by its name.
CNI = ("flannel", "cilium", "none")
CSI = ("local-path", "rook-ceph", "none")
_ROOK = ("rook_crds", "rook_common", "rook_csi_operator", "rook_operator")
_KUBERNETES = ("kubeadm", "kubelet", "kubectl")


def packages(spec: Mapping[str, Any]) -> list[dict[str, str]]:
    """What goes onto every node, as {component, version}; an empty version is the catalogue's default."""
    chosen = spec.get("vars", {})
    runtime = [{"component": name, "version": str(chosen.get(variable, ""))} for name, variable in _NODE.items()]
    return [*runtime, *({"component": name, "version": spec["kubernetesVersion"]} for name in _KUBERNETES)]


def manifests(spec: Mapping[str, Any]) -> list[dict[str, str]]:
    """What is applied to the cluster, manifests and charts, as {component, version}."""
    chosen, network = spec.get("vars", {}), spec["network"]
    wanted = {
        "flannel": network["cni"] == "flannel",
        "cilium": network["cni"] == "cilium",
        "local_path": spec["storage"]["csi"] == "local-path",
        "metallb": network["loadBalancer"] == "metallb",
    }
    rook = str(chosen.get("rook_ceph_version", ""))
    return [
        *(
            {"component": name, "version": str(chosen.get(f"{name}_version", ""))}
            for name, used in wanted.items()
            if used
        ),
        *({"component": name, "version": rook} for name in _ROOK if spec["storage"]["csi"] == "rook-ceph"),
    ]


def images(spec: Mapping[str, Any]) -> list[dict[str, str]]:
    """What is nothing but images, as {component, version}."""
    wanted = {"kube_vip": control_planes(spec) > 1, "kube_network_policies": flannel_policies(spec)}
    return [{"component": name, "version": ""} for name, used in wanted.items() if used]


def of_its_own(spec: Mapping[str, Any]) -> list[str]:
    """The add-ons that are the cluster's pod network and its storage, which others need."""
    chosen = ((spec["network"]["cni"], CNI), (spec["storage"]["csi"], CSI))
    return [name for name, built_in in chosen if name not in built_in]


def flannel_policies(spec: Mapping[str, Any]) -> bool:
    """Whether NetworkPolicies are enforced beside flannel, which alone knows none."""
    wanted = spec.get("vars", {}).get("flannel_network_policy", False)
    return spec["network"]["cni"] == "flannel" and str(wanted).lower() in ("true", "yes", "on", "1")


def control_planes(spec: Mapping[str, Any]) -> int:
    """How many there shall be."""
    if spec["provider"] == "static":
        return sum(host["role"] == "control-plane" for host in spec["hosts"])
    return int(spec["controlPlane"]["count"])
