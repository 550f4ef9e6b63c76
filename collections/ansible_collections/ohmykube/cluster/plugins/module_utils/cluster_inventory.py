# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""From the wish (cluster.yaml) and what was seen (state.json) to groups, hosts and role variables. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ohmykube.cluster.plugins.module_utils import requirements, rook
from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm_config.enforced import Node

API_PORT = 6443
MEMBERS = ("control_plane", "workers")  # groups that hold each node once
# What kube-proxy in this mode needs of the kernel; types of sets and further schedulers are loaded when they are used.
_QUEUES = ("nft_queue", "nfnetlink_queue")  # how kube-network-policies is asked about packets
_IPVS = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "ip_set", "xt_set")
_CEPH_MODULES = ("rbd", "ceph")  # what nodes need of it to have its volumes
_LOCAL = ("localhost", "127.0.0.0/8", "::1", ".svc", ".cluster.local")
# Roles that look things up in the catalogue.
_FETCHING = (
    "addon",
    "cache_distribute",
    "cilium",
    "containerd",
    "flannel",
    "kubeadm",
    "local_path",
    "metallb",
    "rook_ceph",
)


@dataclass(frozen=True)
class Inventory:
    """groups: group → hosts. variables: for the hosts of all MEMBERS. hosts: host → its own variables."""

    groups: Mapping[str, Sequence[str]]
    variables: Mapping[str, Any]
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build(cluster: Mapping[str, Any], state: Mapping[str, Any]) -> Inventory:
    """Raises OhmykubeError `inventory.unreachable`."""
    spec, name = cluster["spec"], cluster["metadata"]["name"]
    machines = state["machines"]
    lost = [machine["name"] for machine in machines if not (machine["ssh"] and machine["seen"]["address"])]
    if lost:
        raise OhmykubeError(
            "inventory.unreachable",
            f"no address is known for {', '.join(lost)}",
            hint=f"`ohmykube up --name {name}` makes, starts and finds them",
        )
    groups: dict[str, list[str]] = {group: [] for group in MEMBERS}
    for machine in machines:
        groups["control_plane" if machine["role"] == "control-plane" else "workers"].append(machine["name"])
        groups.setdefault("group_" + machine["group"].replace("-", "_"), []).append(machine["name"])
    api, disks = api_address(cluster, state), {machine["name"]: _disks(spec, machine) for machine in machines}
    storing = sum(map(bool, disks.values()))
    return Inventory(
        groups=groups,
        variables={**_common(cluster, state), **spec["vars"]},
        hosts={
            machine["name"]: {**_ceph(machine, disks[machine["name"]], storing), **_host(cluster, machine, api)}
            for machine in machines
        },
    )


def endpoint(name: str) -> str:
    """The name under which every node finds the API server."""
    return f"{name}.ohmykube.internal"


def _common(cluster: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    spec = cluster["spec"]
    network, pool = spec["network"], spec["network"]["addressPool"]
    return {
        "node_swap": spec["swap"],
        "node_kernel_modules": [
            *(_IPVS if proxy_mode(spec) == "ipvs" else ()),
            *(_CEPH_MODULES if _has_ceph(spec) else ()),
            *(("wireguard",) if _has_wireguard(spec) else ()),
            *(_QUEUES if requirements.flannel_policies(spec) else ()),
        ],
        **{f"{role}_catalogues": state["catalogues"] for role in _FETCHING},
        "containerd_registries": spec["registries"],
        **_kubeadm(cluster, state),
        "cluster_cni": network["cni"],
        "cluster_csi": spec["storage"]["csi"],
        "cluster_load_balancer": network["loadBalancer"],
        "flannel_pod_cidr": network["podCIDR"],
        "verify_nodes_ready": network["cni"] != "none",
        "metallb_address_pool": _of_families(state["addressPool"], network["podCIDR"]) if pool == "auto" else pool,
        **_addons(spec, state),
    }


def _addons(spec: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are wanted, and those that may be there and are not; none where there never were any."""
    wanted = spec.get("addons", [])  # clusters of older versions have none
    absent = sorted(set(state.get("addons", [])) - {addon["name"] for addon in wanted})
    own = requirements.of_its_own(spec)
    first = {"addon_first": own} if own else {}
    return {"addon_wanted": list(wanted), "addon_absent": absent, **first} if wanted or absent else {}


def _of_families(pool: str, pod_cidr: str) -> str:
    """Its ranges of IPv6 are for clusters whose services can have such addresses."""
    return pool if "," in pod_cidr else ",".join(part for part in pool.split(",") if ":" not in part)


def _kubeadm(cluster: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    spec, name = cluster["spec"], cluster["metadata"]["name"]
    network, shared = spec["network"], _shared(spec["network"], state)
    read = _read(spec)
    return {
        "kubeadm_version": spec["kubernetesVersion"],
        "kubeadm_cluster_name": name,
        "kubeadm_endpoint": f"{endpoint(name)}:{API_PORT}",
        "kubeadm_endpoint_address": shared if _several(state["machines"]) else "",
        "kubeadm_sans": [shared] if shared else [],  # also of one control plane, which may become one of several
        "kubeadm_pod_cidr": network["podCIDR"],
        "kubeadm_service_cidr": network["serviceCIDR"],
        "kubeadm_proxy_mode": network["proxyMode"],
        "kubeadm_swap": spec["swap"],
        "kubeadm_config": read["documents"],
        "kubeadm_patches": read["patches"],
    }


def kubeadm_node(cluster: Mapping[str, Any], state: Mapping[str, Any], machine: Mapping[str, Any]) -> Node:
    """What the role kubeadm knows of a machine. One that does not exist yet has words for its address.

    machine: its record in the state.
    """
    spec, name = cluster["spec"], machine["name"]
    said = {
        "kubeadm_node_address": (machine["seen"] or {}).get("address") or f"<address of {name}>",
        "kubeadm_node_second_address": f"<IPv6 address of {name}>",
        "kubeadm_control_plane_tainted": any(other["role"] == "worker" for other in state["machines"]),
        "kubeadm_provider_config": [],
        **_kubeadm(cluster, state),
        **machine["variables"],
        **spec["vars"],
        **_group(spec, machine)["vars"],
    }
    keys = ("cluster_name", "version", "endpoint", "pod_cidr", "service_cidr", "proxy_mode")
    return Node(
        name=name,
        address=str(said["kubeadm_node_address"]),
        second_address=str(said["kubeadm_node_second_address"]),
        control_plane=machine["role"] == "control-plane",
        tainted=said["kubeadm_control_plane_tainted"] is True,
        swap=said["kubeadm_swap"] is True,
        sans=_items(said["kubeadm_sans"]),
        provider_config=_items(said["kubeadm_provider_config"]),
        **{key: str(said[f"kubeadm_{key}"]) for key in keys},
    )


def _items(value: Any) -> tuple[Any, ...]:
    """Of a variable that may be a template, which only Ansible can tell."""
    return tuple(value) if isinstance(value, (list, tuple)) else ()


def proxy_mode(spec: Mapping[str, Any]) -> str:
    """kube-proxy's, which a document of the user's own may name."""
    named = [
        document.get("mode") for document in _read(spec)["documents"] if document["kind"] == "KubeProxyConfiguration"
    ]
    return next(filter(None, named), spec["network"]["proxyMode"])


def _read(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the user's own files for kubeadm say; clusters of older versions have none."""
    return spec["kubeadm"].get("read") or {"documents": [], "patches": {}}


def api_address(cluster: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Where nodes find the API server: at the control plane, or where several share an address, at that."""
    machines = state["machines"]
    return _shared(cluster["spec"]["network"], state) if _several(machines) else _plane(machines)


def _several(machines: Sequence[Mapping[str, Any]]) -> bool:
    return sum(machine["role"] == "control-plane" for machine in machines) > 1


def _shared(network: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    wished = network.get("apiAddress", "auto")  # clusters of older versions have none
    return str(state.get("apiAddress", "") if wished == "auto" else wished)


def _plane(machines: Sequence[Mapping[str, Any]]) -> str:
    """Address of the control plane. None is there for the reset after an `up` that died while it took the hosts."""
    return next((machine["seen"]["address"] for machine in machines if machine["role"] == "control-plane"), "")


def _host(cluster: Mapping[str, Any], machine: Mapping[str, Any], api: str) -> dict[str, Any]:
    """A node knows its own name and the endpoint's, so that it need not be told when others come and go."""
    ssh, group = machine["ssh"], _group(cluster["spec"], machine)
    address = machine["seen"]["address"]
    arguments = {
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{ssh["knownHosts"]}"',  # it may have spaces
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": ssh["hostKeyAlias"] or ssh["host"],
    }
    return {
        "ansible_host": ssh["host"],
        "ansible_port": ssh["port"],
        "ansible_user": ssh["user"],
        "ansible_become": ssh["user"] != "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": ssh["identityFile"],
        "ansible_ssh_common_args": shlex.join(f"-o{key}={value}" for key, value in arguments.items()),
        "node_hosts": [
            {"name": machine["name"], "address": address},
            {"name": endpoint(cluster["metadata"]["name"]), "address": api},
        ],
        "kubeadm_node_address": address,
        "kubeadm_node_labels": group["labels"],
        "kubeadm_node_annotations": group["annotations"],
        "kubeadm_node_taints": group["taints"],
        **_custom(cluster["spec"], group),
        **_proxy(cluster, (address, api)),
        **machine["variables"],
        **cluster["spec"]["vars"],
        **group["vars"],
    }


def _has_ceph(spec: Mapping[str, Any]) -> bool:
    return bool(spec["storage"]["csi"] == "rook-ceph")


def _has_wireguard(spec: Mapping[str, Any]) -> bool:
    return spec["network"]["cni"] == "cilium" and spec["vars"].get("cilium_encryption") == "wireguard"


def _disks(spec: Mapping[str, Any], machine: Mapping[str, Any]) -> list[str]:
    """Paths of its raw disks for Ceph: those of a host are named, and virtual machines have a letter for each."""
    disks = _group(spec, machine).get("disks", ()) if _has_ceph(spec) else ()
    letters = "bcdefghijklmnopqrstuvwxyz"  # a is what it boots from
    return [disk if isinstance(disk, str) else f"/dev/vd{letters[number]}" for number, disk in enumerate(disks)]


def _ceph(machine: Mapping[str, Any], disks: Sequence[str], storing: int) -> dict[str, Any]:
    """storing: how many machines have disks for it."""
    if not disks:
        return {}
    needed = rook.memory(storing, len(disks), control_plane=machine["role"] == "control-plane")
    return {"rook_ceph_disks": list(disks), "rook_ceph_memory": needed}


def _proxy(cluster: Mapping[str, Any], addresses: Sequence[str]) -> dict[str, Any]:
    """The node's way out, where there is one. Its own cluster is no business of the proxy.

    addresses: its own and the API server's. Those of other nodes are not named: they come and go, and containerd
    would be restarted each time.
    """
    proxy, network = cluster["spec"].get("proxy") or {}, cluster["spec"]["network"]  # older versions have none
    urls = {f"{scheme}_proxy": proxy.get(f"{scheme}Proxy") for scheme in ("http", "https")}
    if not any(urls.values()):
        return {}
    cidrs = [*network["podCIDR"].split(","), *network["serviceCIDR"].split(",")]
    direct = [*_LOCAL, *addresses, endpoint(cluster["metadata"]["name"]), *cidrs, *proxy.get("noProxy", ())]
    told = {name: url for name, url in urls.items() if url}
    return {"containerd_proxy": {**told, "no_proxy": ",".join(dict.fromkeys(filter(None, direct)))}}


def _custom(spec: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    """Files and hooks of a node, where it has any: those for all nodes, then those of its group."""
    parts = (spec, group)
    files = [_said(file) for part in parts for file in part.get("files", ())]  # clusters of older versions have none
    hooks: dict[str, list[dict[str, Any]]] = {}
    for moment, found in (item for part in parts for item in part.get("hooks", {}).items() if item[1]):
        hooks.setdefault(moment, []).extend(map(_said, found))
    return {**({"customize_files": files} if files else {}), **({"customize_hooks": hooks} if hooks else {})}


def _said(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody has said of it; an empty content is that too. `sum` is for the command line."""
    return {key: value for key, value in entry.items() if key != "sum" and (value or (key, value) == ("content", ""))}


def _group(spec: Mapping[str, Any], machine: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of the cluster file that the machine comes from."""
    for host in spec["hosts"]:
        if host["name"] == machine["name"]:
            return host
    if machine["role"] == "control-plane":
        return spec["controlPlane"]
    return next(group for group in spec["workers"] if group["name"] == machine["group"])
