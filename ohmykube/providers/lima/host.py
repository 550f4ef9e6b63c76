"""What this computer can do: whether virtual machines run here at all, and whether the wished ones fit."""

import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec

KVM = Path("/dev/kvm")
_KVM_GET_API_VERSION = 0xAE00
_KVM_CREATE_VM = 0xAE01
_KVM_API = 12  # the only version there has been since 2007
_TRIAL_TIMEOUT = 10.0  # seconds; it takes a twentieth of one

# By machine: the catalogue's word, Lima's word, and QEMU's machine type.
_ARCHITECTURES = {
    "x86_64": ("amd64", "x86_64", "q35"),
    "aarch64": ("arm64", "aarch64", "virt"),
    "arm64": ("arm64", "aarch64", "virt"),
}
_DISK_NEEDED = 4 * 2**30  # bytes that a node takes soon: its image, Kubernetes, container images

# Lima's rule for the name of an instance: stricter than a DNS label, which may hold several hyphens in a row.
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME_MAX = 76
LONGEST_SOCKET = f"ssh.sock.{'x' * 16}"  # of an instance: ssh adds 16 characters while it makes its own
_SOCKET_MAX = 104 if sys.platform == "darwin" else 108  # bytes, the final NUL included


def architecture() -> tuple[str, str]:
    """This computer's, in the catalogue's word (amd64) and in Lima's (x86_64)."""
    catalogue, lima, _ = _ARCHITECTURES[platform.machine()]
    return catalogue, lima


def is_mac() -> bool:
    return sys.platform == "darwin"


def unusable() -> str:
    """Why Lima cannot run machines here, in half a sentence with the way out; empty where it can."""
    if sys.platform not in ("linux", "darwin") or platform.machine() not in _ARCHITECTURES:
        return f"Lima's machines do not run on {platform.system()} on {platform.machine()}"
    if os.geteuid() == 0:
        return "Lima refuses to run as root: be an ordinary user"
    wanted = ["ssh", "ssh-keygen"]
    if not is_mac():
        wanted += ["qemu-img", _qemu()[0]]
    missing = [tool for tool in wanted if shutil.which(tool) is None]
    if missing:
        package = {"x86_64": "qemu-system-x86"}.get(platform.machine(), "qemu-system-arm")
        way = "" if is_mac() else f": `apt-get install openssh-client qemu-utils {package}`"
        return f"{' and '.join(missing)} must be installed{way}"
    return "" if is_mac() else kvm_problem()


def kvm_problem(device: Path = KVM) -> str:
    """Why QEMU cannot use KVM; empty where it can, or where the user told QEMU to emulate.

    Lima only looks whether /dev/kvm is there. One that is there and does not work is seen by trying.
    """
    command = _qemu()
    if any("tcg" in word for word in command[1:]):
        return ""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return f"{device} is missing: switch virtualization on in the firmware, or nested virtualization outside"
    except PermissionError:
        return f"{device} may not be opened by you: `sudo usermod -aG kvm $USER`, then log in anew"
    except OSError as error:
        return f"{device} cannot be opened: {error.strerror}"
    try:
        if fcntl.ioctl(descriptor, _KVM_GET_API_VERSION) != _KVM_API:
            return f"{device} speaks another version of KVM"
        os.close(fcntl.ioctl(descriptor, _KVM_CREATE_VM, 0))
    except OSError as error:
        return f"{device} makes no virtual machine: {error.strerror}"
    finally:
        os.close(descriptor)
    return _trial(command[0])


def preflight(machines: Sequence[MachineSpec], present: Collection[str], home: Path) -> list[OhmykubeError]:
    """Names, memory and disk space. `present`: the machines that have their disk already."""
    problems = [_name_problem(machine.name) for machine in machines if not _lima_takes(machine.name)]
    new = [machine for machine in machines if machine.name not in present]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    wished = sum(machine.memory for machine in machines)
    if wished > memory:
        problems.append(
            OhmykubeError(
                "lima.memory",
                f"the machines want {_gib(wished)} of memory and this computer has {_gib(memory)}",
                hint="take fewer or smaller ones: `--workers`, `--worker-memory`, `--master-memory`",
            )
        )
    needed = sum(min(machine.disk, _DISK_NEEDED) for machine in new)
    free = shutil.disk_usage(_existing(home)).free
    if needed > free:
        problems.append(
            OhmykubeError(
                "lima.disk",
                f"{len(new)} new machines need {_gib(needed)} below {home} and {_gib(free)} are free",
                hint="make room there, or set OHMYKUBE_HOME to a folder on another disk",
                context={"path": home},
            )
        )
    return problems


def socket_problems(sockets: Sequence[Path]) -> list[OhmykubeError]:
    """Socket paths have a low limit, so a deep home and a long name do not go together."""
    longest = max(sockets, key=lambda path: len(os.fsencode(path)))
    excess = len(os.fsencode(longest)) - (_SOCKET_MAX - 1)
    if excess <= 0:
        return []
    return [
        OhmykubeError(
            "lima.path-too-long",
            f"a socket of Lima's would have a path {excess} bytes too long: {longest}",
            hint=f"shorten the cluster's or the group's name by {excess}, or set OHMYKUBE_HOME to a shorter folder",
            context={"path": longest},
            exit_code=2,
        )
    ]


def _trial(qemu: str) -> str:
    """Begin a machine as Lima would and end it at once: KVM of another kind fails only when it gets a CPU."""
    _, _, machine = _ARCHITECTURES[platform.machine()]
    argv = [qemu, "-machine", f"{machine},accel=kvm", "-cpu", "host", "-m", "64", "-nodefaults", "-display", "none"]
    talk = "".join(json.dumps({"execute": command}) for command in ("qmp_capabilities", "quit"))
    try:
        done = subprocess.run(
            [*argv, "-S", "-qmp", "stdio"],
            input=talk,
            capture_output=True,
            text=True,
            timeout=_TRIAL_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"QEMU hangs with {KVM}"
    except OSError as error:
        return f"{qemu} cannot be run: {error.strerror}"
    if done.returncode:
        words = next(iter(done.stderr.splitlines()), f"it ended with {done.returncode}")
        return f"QEMU cannot use {KVM}: {words}"
    return ""


def _qemu() -> list[str]:
    """QEMU's command line as Lima takes it: the user's variable for this architecture, or the ordinary program."""
    name = _ARCHITECTURES[platform.machine()][1]
    return shlex.split(os.environ.get(f"QEMU_SYSTEM_{name.upper()}", "")) or [f"qemu-system-{name}"]


def _lima_takes(name: str) -> bool:
    return len(name) <= _NAME_MAX and _NAME.fullmatch(name) is not None


def _name_problem(name: str) -> OhmykubeError:
    return OhmykubeError(
        "lima.name",
        f"Lima takes no machine named {name}",
        hint="letters and digits with single hyphens between, at most 76 characters: change the cluster's or group's",
        context={"machine": name},
        exit_code=2,
    )


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
