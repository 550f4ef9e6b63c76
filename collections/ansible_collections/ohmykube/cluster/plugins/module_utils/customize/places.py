# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Where files of somebody's may lie on a node. Read by the command line too, which tells before anything is done."""

from __future__ import annotations

import posixpath

# Other roles write these anew in every run.
_FILES = (
    "/etc/containerd/config.toml",
    "/etc/crictl.yaml",
    "/etc/hosts",
    "/etc/modules-load.d/ohmykube.conf",
    "/etc/sysctl.d/99-ohmykube.conf",
    "/etc/systemd/system/containerd.service",
    "/etc/systemd/system/kubelet.service",
    "/etc/tmpfiles.d/ohmykube.conf",
)
# kubeadm wipes its own, or wants them empty before it begins; the others are no disk, or hold our records.
_FOLDERS = (
    "/dev",
    "/etc/kubernetes/manifests",
    "/etc/kubernetes/patches",
    "/etc/kubernetes/pki",
    "/proc",
    "/run/ohmykube",
    "/sys",
    "/var/lib/ohmykube",
    "/var/log/ohmykube",
)


def refusal(path: str) -> str:
    """Why nothing may be placed there, in words that follow the path; empty where it may."""
    if not path.startswith("/") or path.startswith("//") or posixpath.normpath(path) != path or not path.isprintable():
        return "is no absolute path: write it like /etc/motd, without '..' and without '/' at its end"
    if path in _FILES:
        return "is seen to by ohmykube's own roles, which have variables for what is in it"
    if any(path == folder or path.startswith(f"{folder}/") for folder in _FOLDERS):
        return "lies where nobody but the system, kubeadm and ohmykube may put files"
    return ""
