# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What Cilium's chart is told, and which images it runs then. Pure but for what renders charts; on the controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError, raise_all

if TYPE_CHECKING:  # whoever only wants the values does without a cache
    from ansible_collections.ohmykube.cluster.plugins.module_utils.catalogue import Artifact
    from ansible_collections.ohmykube.cluster.plugins.module_utils.charts.rendering import Charts

COMPONENT, RELEASE, NAMESPACE = "cilium", "cilium", "kube-system"
ENCRYPTIONS = ("none", "wireguard")
POLICIES = ("default", "always", "never")
_ROLE = "cilium_"  # what variables begin with
# Those that the options can bring; a digest of each stands beside its tag.
_IMAGES = (
    "image",
    "operator.image",
    "envoy.image",
    "certgen.image",
    "hubble.relay.image",
    "hubble.ui.backend.image",
    "hubble.ui.frontend.image",
)


@dataclass(frozen=True)
class Options:
    """pod_cidr: of IPv4, or of IPv4 and IPv6 with a comma between. api_server: host:port; empty: the service's address.

    kube_proxy: whether there is one. devices: empty: Cilium finds them. digests: whether images are named by theirs.
    """

    pod_cidr: str = "10.244.0.0/16"
    api_server: str = ""
    kube_proxy: bool = True
    hubble: bool = False
    hubble_ui: bool = False
    encryption: str = "none"
    policy: str = "default"
    devices: str = ""
    digests: bool = True


def values(own: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """For the chart: what we say, above it what the user says, and above all what the cluster needs.

    Raises OhmykubeError `cilium.*`: all that cannot be.
    """
    problems = [*_judged(options), *_clashes(own, _enforced(options))]
    raise_all(problems)
    return _merged(_merged(_told(options), own), _enforced(options))


def artifact(spec: Mapping[str, Any], charts: Charts, arch: str) -> Artifact:
    """What is fetched for a cluster: the chart, and its images once it can be rendered. Raises as `values`."""
    found = charts.catalogue.artifact(COMPONENT, arch, str(spec.get("vars", {}).get("cilium_version", "")))
    own, options = _of_wish(spec)
    return replace(found, images=charts.images(found, RELEASE, NAMESPACE, values(own, options)))


def _of_wish(spec: Mapping[str, Any]) -> tuple[Mapping[str, Any], Options]:
    """What the role's variables come to, as far as they are none that only Ansible can tell."""
    said = {
        "cilium_pod_cidr": spec["network"]["podCIDR"],
        "cilium_kube_proxy": spec["network"]["proxyMode"] != "none",
        "cilium_api_server": "localhost:6443",  # where it is makes no difference to the images
        **{name: value for name, value in spec.get("vars", {}).items() if "{{" not in str(value)},
    }
    own = said.get("cilium_values", {})
    known = {each.name: said[f"{_ROLE}{each.name}"] for each in fields(Options) if f"{_ROLE}{each.name}" in said}
    return own if isinstance(own, Mapping) else {}, Options(**known)


def _told(options: Options) -> dict[str, Any]:
    cidrs, hubble = options.pod_cidr.split(","), options.hubble or options.hubble_ui
    found: dict[str, Any] = {
        "operator": {"replicas": 1, "rollOutPods": True},
        # What the pods read when they start changes with the values: without this, they would go on as before.
        "rollOutCiliumPods": True,
        "envoy": {"rollOutPods": True},
        "ipv4NativeRoutingCIDR": cidrs[0],
        "ipam": {"operator": {"clusterPoolIPv4PodCIDRList": cidrs[:1]}},  # 10.0.0.0/8 is where many machines are
        "policyEnforcementMode": options.policy,
        "encryption": {"enabled": options.encryption != "none"},
        "hubble": {"enabled": hubble},
    }
    if options.encryption != "none":
        found["encryption"]["type"] = options.encryption
    if hubble:
        found["hubble"] |= {
            "relay": {"enabled": True, "rollOutPods": True},
            "ui": {"enabled": options.hubble_ui},
            # The chart itself would make another certificate with each rendering; this way a job in the cluster does.
            "tls": {"auto": {"method": "cronJob"}},
        }
    if len(cidrs) > 1:
        found["ipv6NativeRoutingCIDR"] = cidrs[1]
        found["ipam"]["operator"]["clusterPoolIPv6PodCIDRList"] = cidrs[1:]
    if options.devices:
        found["devices"] = options.devices
    if not options.digests:
        for path in _IMAGES:
            found = _merged(found, _nested(f"{path}.useDigest", False))
    return found


def _enforced(options: Options) -> dict[str, Any]:
    dual = "," in options.pod_cidr
    found: dict[str, Any] = {
        "ipam": {"mode": "kubernetes"},
        "k8s": {"requireIPv4PodCIDR": True, "requireIPv6PodCIDR": dual},
        "ipv4": {"enabled": True},
        "ipv6": {"enabled": dual},
        "kubeProxyReplacement": not options.kube_proxy,
        "l2announcements": {"enabled": False},  # MetalLB's work
    }
    host, _, port = options.api_server.rpartition(":")
    if port.isdigit():
        found |= {"k8sServiceHost": host, "k8sServicePort": int(port)}
    return found


def _judged(options: Options) -> Iterator[OhmykubeError]:
    for name, value, known in (
        ("encryption", options.encryption, ENCRYPTIONS),
        ("policy", options.policy, POLICIES),
    ):
        if value not in known:
            yield _error("cilium.option", f"{_ROLE}{name} is {value!r}", f"it is one of {', '.join(known)}")
    if not options.api_server and not options.kube_proxy:
        words = "without kube-proxy Cilium must be told where the API server is"
        yield _error("cilium.option", words, "cilium_api_server: host:port")
    host, _, port = options.api_server.rpartition(":")
    if options.api_server and not (host and port.isdigit()):
        yield _error("cilium.option", f"cilium_api_server is {options.api_server!r}", "write host:port")


def _clashes(own: Any, enforced: Mapping[str, Any], path: str = "") -> Iterator[OhmykubeError]:
    for key, value in enforced.items():
        place = f"{path}{key}"
        if not isinstance(own, Mapping) or key not in own:
            continue
        if isinstance(value, Mapping):
            yield from _clashes(own[key], value, f"{place}.")
        elif str(own[key]).lower() != str(value).lower():
            words = f"cilium_values: {place} cannot be {own[key]!r}: in this cluster it is {value!r}"
            yield _error("cilium.enforced", words, "leave it out; docs/networks.md says what decides it")


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged, all else is replaced."""
    found = dict(below)
    for key, value in above.items():
        there = found.get(key)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        found[key] = _merged(there, value) if both else value
    return found


def _nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    found: dict[str, Any] = value
    return found


def _error(code: str, words: str, hint: str) -> OhmykubeError:
    return OhmykubeError(code, words, hint=hint, exit_code=2)
