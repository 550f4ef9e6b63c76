"""Prepared machines: the disk of one, without who it is, for others to begin with."""

import subprocess
import sys
from pathlib import Path

from ohmykube import ssh
from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import SshTarget

DISK = "disk.img"
_SEAL_TIMEOUT = 300  # seconds
_COPY_TIMEOUT = 900  # seconds; where the file system can share blocks it takes none
# What the next machine makes for itself, or gets from its template. Blocks that hold nothing go back to the file.
_SEAL = """
command -v cloud-init >/dev/null && cloud-init clean --logs
rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys /var/lib/systemd/random-seed
find /var/log /tmp /var/tmp -type f -delete
truncate --size=0 /etc/machine-id
fstrim --all || true
sync
"""


def seal(target: SshTarget) -> None:
    """Make a running machine forget who it is; afterwards nobody is let in any more."""
    ssh.run(target, ["sudo", "-n", "sh", "-euc", _SEAL], timeout=_SEAL_TIMEOUT)


def copy(directory: Path, folder: Path) -> None:
    """Copy the disk of a stopped instance. directory: the instance's; folder: the image's."""
    disk, made = _disk(directory), folder / DISK
    backed = (directory / "basedisk").exists()  # Lima before 2.2: what differs from another file
    argv = ["qemu-img", "convert", "-O", "qcow2", str(disk), str(made)] if backed else _cp(disk, made)
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=_COPY_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        words = str(getattr(error, "stderr", "") or error).strip()
        raise OhmykubeError(
            "lima.image",
            f"the disk {disk} cannot be copied: {words}",
            hint=f"is there room in {folder.parent}? `ohmykube cache prune` makes some",
            context={"path": disk, "output": words},
        ) from error


def _disk(directory: Path) -> Path:
    return next((path for path in (directory / "disk", directory / "diffdisk") if path.exists()), directory / "disk")


def _cp(disk: Path, made: Path) -> list[str]:
    """A copy that shares its blocks, where the file system can."""
    sharing = ["-c"] if sys.platform == "darwin" else ["--reflink=auto", "--sparse=always"]
    return ["cp", *sharing, str(disk.resolve()), str(made)]
