"""Who a machine is, written into its own layer before it first boots: nothing is guessed or generated inside."""

import os
import uuid
from pathlib import Path

from ohmykube import ssh

INIT = "usr/lib/ohmykube/init"
_INIT = Path(__file__).with_name("init.sh")
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


def write(upper: Path, *, name: str, authorized_key: str, nameservers: list[str]) -> str:
    """Host name, machine id, ssh host key, root's key, name servers, and the first process.

    The host's public key is returned.
    """
    for folder in ("etc", "etc/ssh", "root", "root/.ssh", "usr", "usr/lib", "usr/lib/ohmykube"):
        (upper / folder).mkdir(exist_ok=True)
        (upper / folder).chmod(0o700 if folder.startswith("root") else 0o755)  # whatever the caller's umask
    _file(upper / "etc/hostname", f"{name}\n")
    _file(upper / "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost ip6-loopback\n")
    _file(upper / "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    _file(upper / "etc/resolv.conf", "".join(f"nameserver {server}\n" for server in nameservers))
    _file(upper / "root/.ssh/authorized_keys", authorized_key, 0o600)
    _file(upper / INIT, _INIT.read_text(), 0o755)
    ssh.generate_key(upper / _HOST_KEY, name)
    return (upper / f"{_HOST_KEY}.pub").read_text()


def nameservers(*, offline: bool, gateway: str) -> list[str]:
    """Those of this computer that a machine can reach too.

    There is always one, as CoreDNS does not start without; the gateway's own, where nothing listens, refuses at once.
    """
    if not offline:
        for file in ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"):
            found = parse_nameservers(Path(file).read_text()) if os.access(file, os.R_OK) else []
            if found:
                return found
    return [gateway]


def parse_nameservers(text: str) -> list[str]:
    """Name servers of a resolv.conf, without those that only this computer itself reaches."""
    words = [line.split() for line in text.splitlines()]
    found = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    return [server for server in found if not server.startswith("127.") and server != "::1"]


def _file(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
