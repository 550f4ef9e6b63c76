"""What a Lima instance of ours is made of, as data."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml

from ohmykube.providers.base import MachineSpec

USER = "ohmykube"
OWNER_LABEL = "OHMYKUBE_CLUSTER"
HOST_KEY_LABEL = "OHMYKUBE_HOST_KEY"
API_PORT = 6443

# cloud-init takes every boot for a new machine: it would make new host keys and give the machine Lima's host name.
_CLOUD_CONFIG = "preserve_hostname: true\nssh_deletekeys: false\n"

# As root, at every boot, after cloud-init and the files below; so it corrects what cloud-init did at the first one.
_SETTLE = """#!/bin/sh
set -eu
hostname -F /etc/hostname
keys={{{{.Home}}}}/.ssh/authorized_keys
grep -qxF {key} "$keys" || echo {key} >>"$keys"
systemctl try-reload-or-restart ssh.service || systemctl try-reload-or-restart sshd.service
"""


@dataclass(frozen=True)
class Recipe:
    """Everything about an instance that the machine's wish does not say.

    image: a disk image that was verified already, so it comes without a digest: Lima would hash it at every create.
    base: the user's own template, which Lima lays below this one: what is set here wins, its lists are kept too, those
        of scripts before ours.
    host_key: the machine's private ssh key; host_public_key: `type key`. Known to us before it first boots.
    api_port: the port of 127.0.0.1 that leads to its API server; 0: none.
    late_network: the boot must not wait for networks to have their names: Lima gives them theirs only then.
    """

    cluster: str
    arch: str  # in Lima's words: x86_64, aarch64
    network: str
    authorized_key: str
    host_key: str
    host_public_key: str
    image: Path | None = None
    base: Path | None = None
    disks: tuple[str, ...] = ()
    api_port: int = 0
    vz: bool = False
    late_network: bool = False


def render(machine: MachineSpec, recipe: Recipe) -> str:
    """The template. It holds the private host key: give it to limactl on stdin.

    `plain` leaves out what a node must not have: the guest agent, mounts of the host's folders, a containerd of
    Lima's, forwards of whatever listens inside, formatting of additional disks. Static forwards and provisioning stay.
    """
    template: dict[str, object] = {
        "minimumLimaVersion": "2.0.0",
        "vmType": "vz" if recipe.vz else "qemu",
        "arch": recipe.arch,
        "cpus": machine.cpu,
        "memory": str(machine.memory),
        "disk": str(machine.disk),
        "plain": True,
        "containerd": {"system": False, "user": False},
        "ssh": {"loadDotSSHPubKeys": False, "forwardAgent": False},
        "user": {"name": USER, "comment": USER, "home": "/home/{{.User}}"},
        "env": {OWNER_LABEL: recipe.cluster, HOST_KEY_LABEL: recipe.host_public_key},
        "networks": _networks(recipe),
        "provision": _provision(machine, recipe),
    }
    if recipe.base:
        template["base"] = str(recipe.base)
    if recipe.image:
        template["images"] = [{"location": str(recipe.image), "arch": recipe.arch}]
    if recipe.disks:
        template["additionalDisks"] = [{"name": name, "format": False} for name in recipe.disks]
    if recipe.late_network:
        template["param"] = {"internal_netplanOptional": "true"}
    if recipe.api_port:
        template["portForwards"] = [{"guestPort": API_PORT, "hostPort": recipe.api_port, "static": True}]
    return yaml.dump(template, Dumper=_Dumper, sort_keys=False, width=2**16)


def problem(base: Path) -> str:
    """Why a template of the user's own cannot be one, in half a sentence; limactl judges the rest."""
    try:
        found = yaml.safe_load(base.read_text())
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    except yaml.YAMLError as error:
        return f"is no YAML: {str(error).splitlines()[0]}"
    if not isinstance(found, dict):
        return "is no mapping of keys"
    return "" if found.keys() & {"images", "base"} else "names no machine image: it needs `images` or a `base`"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as literal blocks: Lima's formatter spoils them in quotes."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _networks(recipe: Recipe) -> list[dict[str, object]]:
    """The cluster's own network is eth0. On a Mac the host reaches machines by vzNAT, which isolates them from one
    another; its metric keeps the default route, and with it what kubelet and flannel choose, on eth0."""
    networks: list[dict[str, object]] = [{"lima": recipe.network}]
    if recipe.vz:
        networks.append({"vzNAT": True, "interface": "lima0", "metric": 300})
    return networks


def _provision(machine: MachineSpec, recipe: Recipe) -> list[dict[str, object]]:
    def file(path: str, content: str, permissions: str = "644") -> dict[str, object]:
        return {"mode": "data", "path": path, "content": content, "permissions": permissions, "overwrite": True}

    settle = _SETTLE.format(key=shlex.quote(recipe.authorized_key.strip()))
    return [
        file("/etc/hostname", f"{machine.name}\n"),
        file("/etc/cloud/cloud.cfg.d/99-ohmykube.cfg", _CLOUD_CONFIG),
        file("/etc/ssh/ssh_host_ed25519_key", recipe.host_key, "600"),
        file("/etc/ssh/ssh_host_ed25519_key.pub", f"{recipe.host_public_key}\n"),
        {"mode": "system", "script": settle},
    ]
