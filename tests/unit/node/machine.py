"""A machine in a temporary folder: files that look like a node's, and commands that answer as a node's do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ohmykube.cluster.plugins.module_utils.host import Completed, Host

RELEASE = "6.1.0-1-amd64"
SYSCTLS = {
    "net/ipv4/ip_forward": "0",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/bridge/bridge-nf-call-ip6tables": "1",
    "net/ipv6/conf/all/forwarding": "0",
    "vm/overcommit_memory": "0",
    "kernel/panic": "0",
    "kernel/panic_on_oops": "0",
    "fs/inotify/max_user_instances": "128",
    "fs/inotify/max_user_watches": "1000000",
}
BUILT_IN = ("OVERLAY_FS", "BRIDGE_NETFILTER", "VXLAN", "NF_TABLES", "NF_CONNTRACK")


@dataclass
class Unit:
    """A unit that systemd has loaded from its file."""

    file: str = "disabled"
    active: str = "inactive"
    pid: int = 0
    needs_reload: str = "no"
    condition: str = "no"
    tried: str = "0"


@dataclass
class Machine:
    """calls: every command that changes something, in order. fails: commands that end with status 1."""

    root: Path
    units: dict[str, Unit] = field(default_factory=dict)
    loadable: set[str] = field(default_factory=set)
    fails: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    route: str = '[{"dst":"192.0.2.1","dev":"eth0","prefsrc":"10.0.0.5"}]'
    ipv6: tuple[dict[str, object], ...] = ()  # of its interface, as `ip` says
    journal: str = "the last words"

    @property
    def host(self) -> Host:
        return Host(self.root, self._run, RELEASE)

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def exists(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def _run(self, argv: Sequence[str], timeout: float) -> Completed:
        line = " ".join(argv)
        if list(argv[:2]) == ["systemctl", "show"]:
            return Completed(0, "\n\n".join(self._show(name) for name in argv[4:]) + "\n")
        if argv[0] == "journalctl":
            return Completed(0, f"{self.journal}\n")
        if "-6" in argv:
            return Completed(0, json.dumps([{"ifname": argv[-3], "addr_info": self.ipv6}]))
        if argv[0] == "ip":
            return Completed(0, self.route) if self.route else Completed(2, "", "Network is unreachable")
        if argv[:2] == ["modprobe", "--dry-run"]:
            return Completed(0 if argv[2] in self.loadable else 1)
        self.calls.append(line)
        if line in self.fails:
            return Completed(1, "", self.fails[line])
        if argv[0] == "systemctl":
            self._systemctl(*argv[1:])
        return Completed(0)

    def _show(self, name: str) -> str:
        unit = self.units.get(name)
        if unit is None and (self.root / "etc/systemd/system" / name).exists():
            unit = self.units.setdefault(name, Unit())
        if unit is None:
            return f"Id={name}\nLoadState=not-found\nUnitFileState=\nActiveState=inactive\nMainPID=0"
        return (
            f"Id={name}\nLoadState=loaded\nUnitFileState={unit.file}\nActiveState={unit.active}\nMainPID={unit.pid}\n"
            f"NeedDaemonReload={unit.needs_reload}\nConditionResult={unit.condition}\n"
            f"ConditionTimestampMonotonic={unit.tried}"
        )

    def _systemctl(self, verb: str, *arguments: str) -> None:
        now = "--now" in arguments
        if verb == "daemon-reload":
            for unit in self.units.values():
                unit.needs_reload = "no"
        for name in arguments:
            if name.startswith("--"):
                continue
            unit = self.units.setdefault(name, Unit())
            if verb in ("enable", "disable"):
                unit.file = f"{verb}d"
            if verb in ("start", "restart") or (verb == "enable" and now):
                unit.active = "active"
            if verb == "disable" and now:
                unit.active = "inactive"


def ready_machine(root: Path) -> Machine:
    """A plain machine: everything built in, nothing prepared, systemd-timesyncd installed."""
    machine = Machine(root, units={"systemd-timesyncd.service": Unit("enabled", "active")})
    for name, value in SYSCTLS.items():
        machine.write(f"/proc/sys/{name}", f"{value}\n")
    machine.write("/proc/modules", "")
    machine.write("/proc/filesystems", "nodev\toverlay\n")
    machine.write("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
    machine.write("/proc/meminfo", "MemTotal:        4096000 kB\nMemFree: 1 kB\n")
    machine.write("/etc/hosts", "127.0.0.1 localhost\n")
    built_in(machine, *BUILT_IN)
    return machine


def built_in(machine: Machine, *options: str) -> None:
    text = "".join(f"CONFIG_{option}=y\n" for option in options)
    (machine.root / "proc/config.gz").write_bytes(gzip.compress(text.encode()))
