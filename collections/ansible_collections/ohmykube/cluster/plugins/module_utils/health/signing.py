# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""kubeadm as the keeper of a control plane's authorities, also where there is no API server to ask for its settings."""

from __future__ import annotations

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubeadm import Kubeadm
from ansible_collections.ohmykube.cluster.plugins.module_utils.kubectl import Kubectl, with_file

_VERSION_TIMEOUT = 10  # seconds
_RENEW_TIMEOUT = 120  # seconds


def renew_all(host: Host) -> None:
    """All that kubeadm keeps on this node. Names in them stay; how long they are good is the cluster's own setting."""
    words = ("certs", "renew", "all")
    if Kubectl(host).answers():
        Kubeadm(host).run(*words, timeout=_RENEW_TIMEOUT)
    else:
        without_api(host, *words, timeout=_RENEW_TIMEOUT)


def without_api(host: Host, *words: str, timeout: float) -> str:
    """What kubeadm prints. It would look for a version on the internet, and want an endpoint: both are named."""
    version = Kubeadm(host).run("version", "--output=short", timeout=_VERSION_TIMEOUT).strip()
    config = (
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
        f"kubernetesVersion: {version}\ncontrolPlaneEndpoint: localhost:6443\n"
    )
    return with_file(config, lambda path: Kubeadm(host).run(*words, f"--config={path}", timeout=timeout))
