"""What tests of control planes that are several have in common."""

from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import MANIFESTS

SHARED, OWN, ELSEWHERE = "10.0.0.254", "10.0.0.2", "10.0.0.31"
VIP = f"{MANIFESTS}/kube-vip.yaml"
PODS = {"kube-vip.yaml": "kind: Pod"}
SEVERAL = {"config": "kind: x", "address": OWN, "static_pods": PODS, "shared_address": SHARED, "timeout": 9}
JOIN = {"config": "kind: x", "node": "cp2", "control_plane": True, "static_pods": PODS}


def call(module, node, /, *, check_mode=False, **given):
    defaults = {name: option.get("default") for name, option in module.ARGUMENTS.items()}
    return module.run({**defaults, **given}, node.host, check_mode=check_mode)


def addresses(node):
    """What was done to them."""
    return [call[2:] for call in node.called("ip", "address") if "show" not in call]
