# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Who asks for a fault: the computer at the other end of the ssh connection, which must stay able to reach this one."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ohmykube.cluster.plugins.module_utils.errors import OhmykubeError
from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Host

_VARIABLE = "SSH_CONNECTION="
_TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class Asker:
    """address: as this machine sees it. own: this machine's address on the connection. port: of sshd here."""

    address: str
    own: str
    port: int


def find(host: Host) -> Asker | None:
    """None where no ssh connection leads here. sudo keeps its variable from us, but not our ancestors' environment."""
    pid = "self"
    while pid not in ("", "0"):
        for variable in (host.read(f"/proc/{pid}/environ") or "").split("\0"):
            if variable.startswith(_VARIABLE):
                address, _, own, port = variable.removeprefix(_VARIABLE).split()
                return Asker(address, own, int(port))
        pid = _parent(host, pid)
    return None


def refuse_container(host: Host, what: str) -> None:
    """Raises OhmykubeError `fault.shared` on a machine that has its disk or clock from the computer it runs on."""
    kind = host.run(["systemd-detect-virt", "--container"], _TIMEOUT).stdout.strip()
    if kind not in ("", "none"):
        raise OhmykubeError(
            "fault.shared",
            f"this machine is a system container ({kind}): it shares the {what} with the computer that it runs on",
            hint=f"virtual machines (provider lima) and hosts of your own have a {what} of their own",
        )


def refuse_asker(host: Host, what: str) -> None:
    """Raises OhmykubeError `fault.shared` where the machine is the very computer that asks."""
    asking = find(host)
    if asking is None or asking.address == asking.own:
        raise OhmykubeError(
            "fault.shared",
            f"this machine is the computer that asks for it, and its {what} is yours",
            hint="ask over ssh, from another computer",
        )


def _parent(host: Host, pid: str) -> str:
    for line in (host.read(f"/proc/{pid}/status") or "").splitlines():
        if line.startswith("PPid:"):
            return line.split()[1]
    return ""
