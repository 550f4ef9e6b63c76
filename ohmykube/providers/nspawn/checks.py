"""What can be seen before anything is made."""

import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.base import MachineSpec, ProviderContext
from ohmykube.providers.nspawn import apt_sources, cgroups, kernel
from ohmykube.providers.nspawn.commands import run
from ohmykube.providers.nspawn.rootfs import Base

_log = logging.getLogger(__name__)

# tool → Debian package
_TOOLS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nft": "nftables",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
}
_BASE_DISK = 2**30  # bytes, while it is made
_MACHINE_DISK = 2 * 2**30  # bytes that a node's binaries and images take at the least
_NO_UPPER_LAYER = ("overlayfs", "nfs", "v9fs", "vfat", "fuseblk")  # file systems on which overlayfs cannot write


def unusable() -> str:
    if sys.platform != "linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root"
    missing = [package for tool, package in _TOOLS.items() if not shutil.which(tool)]
    if not any(map(shutil.which, ("mmdebstrap", "debootstrap"))):
        missing.append("mmdebstrap")
    return f"packages are missing: apt-get install {' '.join(missing)}" if missing else ""


def distribution(template: str) -> apt_sources.Distribution:
    """What machines are made from, as this computer's sources and cgroups allow. Raises `nspawn.template`."""
    return choose(template, apt_sources.configured(), legacy=cgroups.legacy(cgroups.hierarchies()))


def choose(
    template: str, sources: Sequence[apt_sources.Source], *, legacy: bool, root: Path = Path("/")
) -> apt_sources.Distribution:
    """The spec's default, ubuntu-24.04, means this provider's own default: whatever the computer has the sources of.

    legacy: the controllers are those of cgroup v1, which systemd has refused since 256; Debian 12 is older.
    """
    known = apt_sources.templates()
    if template not in ("", *known):
        raise OhmykubeError(
            "nspawn.template",
            f"{template!r} is no template of the provider nspawn",
            hint=f"choose one of {', '.join(known)}",
            exit_code=2,
        )
    bootable = ("debian-12",) if legacy else known
    if template.startswith("debian") and template not in bootable:
        raise OhmykubeError(
            "nspawn.template",
            f"{template} cannot boot here: this computer mounts cgroup v1, which its systemd refuses",
            hint="choose debian-12, or start the computer with cgroup v2 (systemd.unified_cgroup_hierarchy=1)",
            exit_code=2,
        )
    wanted = (template,) if template.startswith("debian") else bootable
    for name in wanted:
        found = apt_sources.distribution(name, sources, root)
        if found:
            return found
    raise OhmykubeError(
        "nspawn.template",
        f"apt on this computer has no source with a keyring for {' or '.join(wanted)}",
        hint="add the distribution's mirror to /etc/apt and install its keyring "
        "(debian-archive-keyring or ubuntu-keyring)",
    )


def preflight(context: ProviderContext, machines: Sequence[MachineSpec]) -> list[OhmykubeError]:
    memory = kernel.memory()
    wanted = sum(machine.memory for machine in machines)
    if wanted > memory["MemAvailable"]:
        _log.warning(
            "the machines may take %s of memory, %s is free now",
            _gib(wanted),
            _gib(memory["MemAvailable"]),
        )
    return [
        *_kernel_problems(),
        *_size_problems(machines, memory["MemTotal"]),
        *_place_problems(context, machines),
    ]


def _kernel_problems() -> Iterator[OhmykubeError]:
    lacking = kernel.missing()
    if lacking:
        yield OhmykubeError(
            "nspawn.kernel",
            f"this computer's kernel lacks {', '.join(lacking)}",
            hint="install the kernel's modules, or use another kernel",
            context={"features": ", ".join(lacking)},
        )


def _size_problems(machines: Sequence[MachineSpec], memory: int) -> Iterator[OhmykubeError]:
    cores = os.cpu_count() or 1
    for machine in machines:
        if machine.cpu > cores:
            yield _too_big(machine, f"{machine.cpu} CPUs", str(cores))
        if machine.memory > memory:
            yield _too_big(machine, f"{_gib(machine.memory)} of memory", _gib(memory))
        if machine.disks:
            yield OhmykubeError(
                "nspawn.disks",
                f"{machine.name} wants disks of its own, which a system container cannot have",
                hint="leave `disks` out, or use the provider lima",
                context={"machine": machine.name},
            )


def _too_big(machine: MachineSpec, wish: str, limit: str) -> OhmykubeError:
    return OhmykubeError(
        "nspawn.size",
        f"{machine.name} wants {wish}, this computer has {limit}",
        hint="ask for less in the cluster file or by the flags of `ohmykube up`",
        context={"machine": machine.name},
    )


def _place_problems(context: ProviderContext, machines: Sequence[MachineSpec]) -> Iterator[OhmykubeError]:
    place = next(folder for folder in (context.directory, *context.directory.absolute().parents) if folder.is_dir())
    kind = run(["stat", "--file-system", "--format=%T", str(place)]).strip()
    if kind in _NO_UPPER_LAYER:
        yield OhmykubeError(
            "nspawn.home",
            f"{place} is on {kind}, where machines cannot lie",
            hint="set OHMYKUBE_HOME to a folder on a disk (ext4, xfs, btrfs)",
            context={"path": place},
        )
    try:
        base = Base(context.home / "cache" / "rootfs", distribution(context.template), offline=context.offline)
        base.check()
        needed = 0 if base.path.is_dir() else _BASE_DISK
    except OhmykubeError as error:
        yield error
        needed = _BASE_DISK
    new = [machine for machine in machines if not (context.directory / "machines" / machine.name).is_dir()]
    needed += _MACHINE_DISK * len(new)
    free = shutil.disk_usage(place).free
    if free < needed:
        yield OhmykubeError(
            "nspawn.space",
            f"{place} has {_gib(free)} free, {len(new)} new machines need {_gib(needed)}",
            hint="free some, or set OHMYKUBE_HOME to a larger disk",
            context={"path": place},
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
