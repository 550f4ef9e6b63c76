"""What the computer's kernel, shared by all machines, must have."""

import gzip
import os
import re
from pathlib import Path

from ohmykube.providers.nspawn.commands import succeeds

# module → its configuration symbol
FEATURES = {
    "overlay": "OVERLAY_FS",
    "bridge": "BRIDGE",
    "br_netfilter": "BRIDGE_NETFILTER",
    "veth": "VETH",
    "vxlan": "VXLAN",
    "nf_tables": "NF_TABLES",
}
# Every kubelet, containerd and systemd holds some 30 instances, and all machines' root is one user to the kernel.
_LIMITS = {"max_user_instances": 8192, "max_user_watches": 524_288}


def missing(root: Path = Path("/")) -> list[str]:
    """Features that the kernel surely lacks: neither built in nor a module. Unknown counts as there."""
    release = os.uname().release
    config = _text(root / "proc/config.gz") or _text(root / "boot" / f"config-{release}")
    modules = root / "lib/modules" / release
    listed = _text(modules / "modules.builtin") + _text(modules / "modules.dep")
    if not config and not listed:
        return []
    return [
        module
        for module, symbol in FEATURES.items()
        if not (root / "sys/module" / module).exists()
        and not re.search(rf"^CONFIG_{symbol}=[ym]$", config, re.MULTILINE)
        and not re.search(rf"/{module}\.ko\b", listed)
    ]


def configuration_visible() -> bool:
    """Whether a machine can read how the kernel was made: from the kernel, or from the file that is bound into it."""
    return any(Path(file).exists() for file in ("/proc/config.gz", f"/boot/config-{os.uname().release}"))


def load() -> None:
    """Load what is a module: machines have no modules of their own. Built in, it cannot be loaded, and need not be."""
    for module in FEATURES:
        if not Path("/sys/module", module).exists():
            succeeds(["modprobe", "--quiet", module])


def raise_limits() -> None:
    """Raise the computer's inotify limits where they are lower; they stay so, as room to spare hurts nobody."""
    for name, least in _LIMITS.items():
        file = Path("/proc/sys/fs/inotify", name)
        if int(file.read_text()) < least:
            file.write_text(str(least))


def memory() -> dict[str, int]:
    """Bytes by the kernel's names."""
    text = Path("/proc/meminfo").read_text()
    return {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError:
        return ""
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode(errors="replace")
