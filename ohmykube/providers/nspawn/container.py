"""One running machine: a systemd-nspawn process, found again by what the kernel knows of it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ohmykube.errors import OhmykubeError
from ohmykube.providers.nspawn import cgroups
from ohmykube.providers.nspawn.identity import INIT
from ohmykube.providers.nspawn.names import unique
from ohmykube.store import atomic

_LAUNCH = Path(__file__).with_name("launch.sh")
_LAUNCH_TIMEOUT = 20  # seconds for the mounts
_BOOT_TIMEOUT = 60  # seconds until systemd runs inside
_KILL_TIMEOUT = 20  # seconds for the kernel to end and forget what was killed
_POLL = 0.02  # seconds
_SYSTEM_CALLS = (
    "add_key keyctl bpf @privileged perf_event_open"  # what containerd and the kubelet need beyond a service
)
_DEVICES = ("/dev/kmsg", "/dev/net/tun", "/dev/fuse")
_KERNEL = ("/lib/modules", f"/boot/config-{os.uname().release}")  # kubeadm reads one, modprobe the other
# These must not lie on an overlay: containerd's snapshots cannot nest in one, the others live on fast syncs.
VOLUMES = ("/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/opt/local-path-provisioner")


@dataclass(frozen=True)
class Container:
    """The machine whose files are in `folder`. Methods ask the kernel; only the cgroups' places are recorded."""

    folder: Path

    @property
    def id(self) -> str:
        """The name that nspawn knows it by; its interface on the bridge is `vb-<id>`."""
        return unique(self.folder)

    @property
    def interface(self) -> str:
        return f"vb-{self.id}"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    def leader(self) -> int:
        """The systemd-nspawn process, or 0: a process of our cgroups with our name in its command line."""
        for pid in cgroups.members(self._groups()):
            argv = _words(pid)
            if argv and Path(argv[0]).name == "systemd-nspawn" and f"--machine={self.id}" in argv:
                return pid
        return 0

    def processes(self) -> set[int]:
        return cgroups.processes(self._groups())

    def launch(self, argv: list[str], limits: cgroups.Limits) -> None:
        """Start it and return when systemd runs inside; what an earlier start left behind is ended first."""
        if self.leader():
            self._wait_for_systemd()
            return
        self.kill()
        found = cgroups.hierarchies()
        places = cgroups.places(found, self.id)
        # Recorded before they are made: whoever dies in between leaves nothing that cannot be found.
        atomic.write(self.folder / "cgroups.json", json.dumps([str(place) for place in places]) + "\n")
        cgroups.make(places, limits)
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",  # the kubelet sets sysctls
            "SYSTEMD_NSPAWN_TMPFS_TMP": "0",  # what is in /tmp belongs on the disk, not to the machine's memory
            "CGROUPS": "\n".join(map(str, places)),
            **_namespace(found, places),
        }
        self._run_launcher(argv, environment)
        self._wait_for_systemd()

    def stop(self, *, timeout: float) -> None:
        """Shut it down in order; after `timeout` seconds, or where nothing is left to ask, by force."""
        leader = self.leader()
        if leader:
            os.kill(leader, signal.SIGTERM)  # nspawn hands systemd its "power off"
            deadline = time.monotonic() + timeout
            while self.leader() == leader and time.monotonic() < deadline:
                time.sleep(_POLL)
        self.kill()

    def kill(self) -> None:
        """End every process and remove the cgroups."""
        groups = self._groups()
        cgroups.kill(groups, timeout=_KILL_TIMEOUT)
        cgroups.remove(groups, timeout=_KILL_TIMEOUT)

    def _groups(self) -> list[Path]:
        try:
            return [Path(place) for place in json.loads((self.folder / "cgroups.json").read_text())]
        except FileNotFoundError:
            return []

    def _run_launcher(self, argv: list[str], environment: Mapping[str, str]) -> None:
        with self.console.open("ab") as console:
            try:
                done = subprocess.run(
                    # It ends with us until it is in the cgroups, where the next start finds it.
                    ["setpriv", "--pdeathsig", "KILL", "sh", str(_LAUNCH), "enter", *argv],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    timeout=_LAUNCH_TIMEOUT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise self._failed(f"did not start within {_LAUNCH_TIMEOUT} s") from None
        if done.returncode:
            raise self._failed(f"did not start (exit code {done.returncode})")

    def _wait_for_systemd(self) -> None:
        deadline = time.monotonic() + _BOOT_TIMEOUT
        while not self._systemd_runs():
            if not self.processes():
                raise self._failed("ended while it started")
            if time.monotonic() > deadline:
                raise self._failed(f"has no systemd running after {_BOOT_TIMEOUT} s")
            time.sleep(_POLL)

    def _systemd_runs(self) -> bool:
        leader = self.leader()
        try:
            children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split() if leader else []
            return any(Path(f"/proc/{child}/comm").read_text().strip() == "systemd" for child in children)
        except OSError:
            return False  # ended meanwhile

    def _failed(self, what: str) -> OhmykubeError:
        tail = self.console.read_text(errors="replace").splitlines()[-5:]
        return OhmykubeError(
            "nspawn.start",
            f"machine {self.folder.name} {what}: {' / '.join(tail)}",
            hint=f"its console is in {self.console}",
            context={"machine": self.folder.name, "console": self.console, "output": "\n".join(tail)},
        )


@dataclass(frozen=True)
class Place:
    """A machine's place in its network, IPv6 second. Addresses with their prefix lengths."""

    bridge: str
    address: str
    gateway: str
    second_address: str
    second_gateway: str


def command(container: Container, *, name: str, place: Place) -> list[str]:
    """The command line of systemd-nspawn."""
    volumes = [(str(container.folder / "volumes" / Path(volume).name), volume) for volume in VOLUMES]
    return [
        "systemd-nspawn",
        "--quiet",
        f"--machine={container.id}",
        f"--hostname={name}",
        "--directory=root",
        "--register=no",
        "--keep-unit",
        "--console=read-only",
        "--kill-signal=SIGRTMIN+3",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        f"--network-bridge={place.bridge}",
        "--capability=all",
        f"--system-call-filter={_SYSTEM_CALLS}",
        *(f"--bind={_escape(source)}:{target}" for source, target in volumes),
        *(f"--bind={device}" for device in _DEVICES if Path(device).exists()),
        *(f"--bind-ro={file}" for file in _KERNEL if Path(file).exists()),
        f"--setenv=OHMYKUBE_ADDRESS={place.address}",
        f"--setenv=OHMYKUBE_GATEWAY={place.gateway}",
        f"--setenv=OHMYKUBE_SECOND_ADDRESS={place.second_address}",
        f"--setenv=OHMYKUBE_SECOND_GATEWAY={place.second_gateway}",
        f"/{INIT}",
    ]


def _namespace(found: Sequence[cgroups.Hierarchy], places: Sequence[Path]) -> dict[str, str]:
    """What launch.sh is told of cgroup namespaces: on a pure v2 computer systemd-nspawn makes the one there is."""
    if not cgroups.legacy(found):
        return {"HIERARCHIES": "", "UNIFIED": str(places[0])}
    mounts = [
        f"{'cgroup' if hierarchy.version == 1 else 'cgroup2'} {hierarchy.options} {hierarchy.mount}"
        for hierarchy in found
    ]
    unified = next((str(hierarchy.mount) for hierarchy in found if hierarchy.version == 2), "")
    return {"HIERARCHIES": "\n".join(mounts), "UNIFIED": unified}


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def _escape(path: str) -> str:
    """As `--bind=` wants it."""
    return path.replace("\\", "\\\\").replace(":", "\\:")
