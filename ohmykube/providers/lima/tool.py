"""Where limactl comes from: the user's own, else the release that the catalogue pins."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.lima import host
from ohmykube.providers.lima.limactl import FLOOR, at_least

Fetch = Callable[[str, str], Path]

_UNPACK_TIMEOUT = 120.0  # seconds; a release is some 30 MB
_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def find(home: Path) -> Path | None:
    """A limactl that is here and new enough: on the PATH, else the newest of those unpacked below `home`."""
    installed = shutil.which("limactl")
    if installed and at_least(Path(installed), FLOOR):
        return Path(installed)
    unpacked = sorted((home / "tools").glob("lima*/bin/limactl"), key=_release)
    return unpacked[-1] if unpacked else None


def release(fetch: Fetch | None) -> Path:
    """The archive of the pinned release. Raises `lima.missing` where there is no catalogue to fetch it by."""
    if fetch is None:
        installed = shutil.which("limactl")
        state = f"{installed} is older than {FLOOR[0]}.{FLOOR[1]}" if installed else "limactl is not installed"
        hint = "install Lima 2.2 or newer: https://lima-vm.io/docs/installation/"
        raise OhmykubeError("lima.missing", state, hint=hint)
    return fetch("lima_darwin" if host.is_mac() else "lima", host.architecture()[0])


def require(home: Path, fetch: Fetch | None) -> Path:
    """As `find`; where there is none, that of the pinned release."""
    return find(home) or unpack(release(fetch), home / "tools")


def unpack(archive: Path, tools: Path) -> Path:
    """limactl of a release archive, unpacked below `tools` as a whole or not at all."""
    target = tools / archive.name.removesuffix(".gz").removesuffix(".tar")
    limactl = target / "bin" / "limactl"
    if limactl.exists():
        return limactl
    tools.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools, prefix=".lima-") as folder:
        made = Path(folder) / "release"
        made.mkdir()
        done = subprocess.run(
            ["tar", "-xf", str(archive), "-C", str(made)],
            capture_output=True,
            text=True,
            timeout=_UNPACK_TIMEOUT,
            check=False,
        )
        if done.returncode or not (made / "bin" / "limactl").exists():
            words = done.stderr.strip() or "it has no bin/limactl"
            message = f"{archive} is no release of Lima: {words}"
            raise OhmykubeError("lima.archive", message, context={"path": archive})
        try:
            made.rename(target)
        except OSError:
            if not limactl.exists():  # else another process was faster
                raise
    return limactl


def _release(limactl: Path) -> tuple[int, ...]:
    found = _RELEASE.search(limactl.parent.parent.name)
    return tuple(map(int, found.groups())) if found else ()
