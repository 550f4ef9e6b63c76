"""The flags that describe a cluster: of `up`, and of the verbs that speak of what it would make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ohmykube.cli import complete
from ohmykube.model.load import WORKERS, Given
from ohmykube.model.names import names_file

Function = TypeVar("Function", bound=Callable[..., Any])

_PLANE = ("spec", "controlPlane")
_FIELDS: dict[str, tuple[str | int, ...]] = {
    "provider": ("spec", "provider"),
    "template": ("spec", "template"),
    "k8s_version": ("spec", "kubernetesVersion"),
    "masters": (*_PLANE, "count"),
    "master_cpu": (*_PLANE, "cpu"),
    "master_memory": (*_PLANE, "memory"),
    "master_disk": (*_PLANE, "disk"),
    "workers": (*WORKERS, "count"),
    "worker_cpu": (*WORKERS, "cpu"),
    "worker_memory": (*WORKERS, "memory"),
    "worker_disk": (*WORKERS, "disk"),
    "cni": ("spec", "network", "cni"),
    "csi": ("spec", "storage", "csi"),
    "lb": ("spec", "network", "loadBalancer"),
    "proxy_mode": ("spec", "network", "proxyMode"),
    "enable_swap": ("spec", "swap"),
    "kubeadm_config": ("spec", "kubeadm", "config"),
    "kubeadm_patches": ("spec", "kubeadm", "patches"),
}
_WORDS = {"local-path-provisioner": "local-path"}
_FILE = click.option(
    "-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="A cluster file; flags win over it."
)
_OPTIONS = (
    click.option("--provider", metavar="NAME", help="lima, static, nspawn or a plug-in's.  [default: what works here]"),
    click.option(
        "-t", "--template", metavar="NAME", help="Machine image, or your Lima template.  [default: ubuntu-24.04]"
    ),
    click.option(
        "--k8s-version",
        metavar="VERSION",
        shell_complete=complete.versions,
        help="Kubernetes version, like v1.36.4.",
    ),
    click.option("--masters", type=int, metavar="N", help="Number of control planes: 1, 3 or 5.  [default: 1]"),
    click.option("--master-cpu", type=int, metavar="N", help="CPUs of each control plane.  [default: 2]"),
    click.option("--master-memory", metavar="SIZE", help="Its memory; a bare number is GB.  [default: 4]"),
    click.option("--master-disk", metavar="SIZE", help="Its disk.  [default: 20]"),
    click.option("-w", "--workers", type=int, metavar="N", help="Number of workers.  [default: 2]"),
    click.option("--worker-cpu", type=int, metavar="N", help="CPUs of each worker.  [default: 1]"),
    click.option("--worker-memory", metavar="SIZE", help="Memory of each worker.  [default: 2]"),
    click.option("--worker-disk", metavar="SIZE", help="Disk of each worker.  [default: 10]"),
    click.option("--cni", type=click.Choice(["flannel", "cilium", "none"]), help="Pod network.  [default: flannel]"),
    click.option("--csi", type=click.Choice(["local-path-provisioner", "rook-ceph", "none"]), help="Storage."),
    click.option("--lb", type=click.Choice(["metallb", "none"]), help="Load balancers.  [default: metallb]"),
    click.option(
        "--proxy-mode",
        type=click.Choice(["nftables", "iptables", "ipvs", "none"]),
        help="kube-proxy's mode; none with cilium.",
    ),
    click.option("--enable-swap", is_flag=True, default=None, help="Leave swap on, and let pods use some."),
    click.option("--kubeadm-config", metavar="FILE", help="kubeadm documents of your own, merged over ours."),
    click.option("--kubeadm-patches", metavar="FOLDER", help="Patches of what kubeadm makes, a file each."),
)


def wish(function: Function) -> Function:
    """Add the flags; the function takes `file`, and the others as keywords for `given_flags`."""
    return _FILE(wish_without_file(function))


def wish_without_file(function: Function) -> Function:
    """Add those alone that speak of one value each."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def given_flags(flags: dict[str, Any]) -> tuple[Given, ...]:
    """What was typed or set in the environment, by the path of the cluster file that it speaks of."""
    ctx = click.get_current_context()
    given = []
    for flag, value in flags.items():
        if value is None:
            continue
        from_environment = ctx.get_parameter_source(flag) is ParameterSource.ENVIRONMENT
        name = f"OHMYKUBE_{flag.upper()}" if from_environment else f"--{flag.replace('_', '-')}"
        if flag == "template" and names_file(value):
            value = str(Path(value).expanduser().absolute())  # it counts from where we are, not from the file's folder
        given.append(Given(_FIELDS[flag], _WORDS.get(value, value) if isinstance(value, str) else value, name))
    return tuple(given)
