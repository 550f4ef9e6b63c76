"""What Kubernetes must be told about such machines, as role variables: they share the computer's kernel."""

import os

from ohmykube.providers.nspawn import kernel
from ohmykube.providers.nspawn.cgroups import Limits
from ohmykube.providers.nspawn.commands import succeeds

_KUBEADM = "kubeadm.k8s.io/v1beta4"


def variables(limits: Limits | None, *, legacy: bool) -> dict[str, object]:
    """limits: of the machine, None before it exists; legacy: the computer's controllers are those of cgroup v1."""
    unverifiable = legacy or not kernel.configuration_visible()
    return {
        "containerd_systemd_cgroup": not legacy,
        "containerd_restrict_oom_score_adj": not _oom_score_can_be_lowered(),
        "kubeadm_provider_config": [
            _kube_proxy(),
            *([_kubelet()] if legacy else []),
            *(_reserved(limits) if limits else []),
        ],
        # It judges the cgroups and the configuration of the computer's kernel, which are not ours to change.
        "kubeadm_ignore_preflight": ["SystemVerification"] if unverifiable else [],
    }


def _kubelet() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
    }


def _kube_proxy() -> dict[str, object]:
    """nf_conntrack_max belongs to the computer: it cannot be set from a network namespace. kind does the same."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def _reserved(limits: Limits) -> list[dict[str, object]]:
    """A kubelet sees the whole computer; what is not the machine's is set aside, so pods are scheduled by its size.

    As arguments, since the kubelet's configuration is one for the whole cluster.
    """
    foreign = {
        "cpu": (os.cpu_count() or limits.cpu) - limits.cpu,
        "memory": kernel.memory()["MemTotal"] - limits.memory,
    }
    value = ",".join(f"{name}={amount}" for name, amount in foreign.items() if amount > 0)
    if not value:
        return []
    arguments = {"kubeletExtraArgs": [{"name": "system-reserved", "value": value}]}
    return [
        {"apiVersion": _KUBEADM, "kind": kind, "nodeRegistration": arguments}
        for kind in ("InitConfiguration", "JoinConfiguration")
    ]


def _oom_score_can_be_lowered() -> bool:
    """Some kernels answer EIO; runc then fails to start any container that asks for it, the pause container first."""
    return succeeds(["choom", "-n", "-998", "--", "true"])
